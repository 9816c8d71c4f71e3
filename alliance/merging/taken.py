"""What becomes of an identifier that belongs to another member when it is linked (`onTaken` in the alliance file)."""

import uuid
from datetime import datetime

import structlog

from alliance.merging.commands import merge_members
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.members.errors import IdentifierTaken
from domain.members.model import IdentifierRef
from domain.members.queries import resolve

log = structlog.get_logger("merging")


async def merge_if_taken(
    runtime: Runtime,
    *,
    merchant: str,
    member_id: uuid.UUID,
    ref: IdentifierRef,
    as_of: datetime,
    client_id: uuid.UUID | None = None,
) -> bool:
    """Let whoever has this identifier become the member to whom it is to be linked, where its type says so.

    False if nobody else has it, or its type says otherwise. Raises IdentifierTaken where the two cannot be merged: what
    is in the way is the operator's to know, and in the log.
    """
    declared = runtime.catalogue.identifier_types.get(ref.type)
    if declared is None or declared.on_taken != "merge":
        return False
    async with runtime.database.reader() as session:
        [owner] = await resolve(session, runtime.catalogue, [(merchant, ref)])
    if isinstance(owner, Refusal) or owner.member_id == member_id:
        return False
    try:
        await merge_members(
            runtime,
            survivor_id=member_id,
            absorbed_id=owner.member_id,
            as_of=as_of,
            client_id=client_id,
            note=f"{ref.type} linked",
        )
    except Refusal as refusal:
        log.warning("not merged", reason=refusal.code, survivor=str(member_id), absorbed=str(owner.member_id))
        raise IdentifierTaken(type=ref.type, path=("identifier",)) from None
    return True
