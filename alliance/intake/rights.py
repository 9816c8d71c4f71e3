"""Lines of a feed about rights (A15): granted to whoever is recognised, used by whoever shows the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alliance.benefits.commands import Call, grant_request, use_request
from alliance.intake.model import RightGrantLine, RightUseLine
from alliance.runtime import Runtime
from domain.benefits.commands import GrantRight, UseRight
from domain.benefits.errors import RightNotFound
from domain.benefits.queries import by_codes, by_ids
from domain.benefits.rules import Codes
from domain.errors import Refusal
from domain.ledger.request import Key, Outcome, Rider
from domain.programs.catalogue import Merchant


@dataclass(slots=True)
class Using:
    """A use on its way: its right is found by the code; `decided` as the operator's are."""

    key: str
    call: Call
    code_hash: bytes
    quantity: int
    decided: bool
    remembers: bool
    mark: Rider | None = None
    request: UseRight | None = None
    outcome: Outcome | None = None
    refused: Refusal | None = None


def call_of(line: RightGrantLine | RightUseLine, merchant: Merchant, key: Key, as_of: datetime) -> Call:
    """Where and when a line says it was."""
    return Call(
        at=merchant,
        occurred_at=line.occurredAt or as_of,
        as_of=as_of,
        key=key,
        client_id=key.client_id,
        channel=line.channel,
        store=line.store,
        order_ref=line.orderRef,
    )


def granting(runtime: Runtime, line: RightGrantLine, call: Call, secret: bytes, member_id: UUID) -> GrantRight:
    """What a grant asks of the ledger. Raises a Refusal."""
    quantity = None if line.quantity is None else int(line.quantity)
    return grant_request(runtime, call, member_id=member_id, kind=line.kind, codes=Codes(secret), quantity=quantity)


async def find(runtime: Runtime, uses: Sequence[Using]) -> None:
    """Whose rights these are: all of them in two statements; a code that is none refuses its line alone."""
    if not uses:
        return
    async with runtime.database.session() as session:
        places = await by_codes(session, {one.code_hash for one in uses})
        rights = await by_ids(session, set(places.values()))
    for one in uses:
        right = rights.get(places.get(one.code_hash, (UUID(int=0), UUID(int=0))))
        if right is None:
            one.outcome = RightNotFound(path=("code",))
            continue
        try:
            one.request = use_request(
                runtime,
                one.call,
                right,
                quantity=one.quantity,
                code_hash=one.code_hash,
                decided=one.decided,
            )
        except Refusal as refusal:
            one.outcome = refusal
            continue
        one.request.remembers = one.remembers
        if one.mark is not None:
            one.request.riders += (one.mark,)
