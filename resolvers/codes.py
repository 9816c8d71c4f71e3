"""Codes that members show: issued to themselves, read and used up at tills."""

from collections.abc import Sequence

import segno
from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes.commands import Presenting
from domain.codes.model import MemberCode, Shown
from domain.codes.rules import Codes
from domain.errors import InvalidInput, NotAllowed
from domain.ledger.errors import MemberNotActive
from domain.ledger.request import Request
from domain.members.model import MemberStatus
from resolvers.context import Context
from resolvers.sent import Sent, key_of

SCALES = range(1, 21)


async def issue(context: Context, sent: Sent) -> MemberCode:
    """A code of the caller's own. Nothing is written, so nothing is remembered: each call gets a new one.

    Raises InvalidInput, NotAllowed, MemberNotActive.
    """
    key_of(context, "issueMemberCode", sent)
    member_id = context.signed_in.member_id
    if member_id is None:
        raise NotAllowed(reason="members show codes of their own")
    member = await context.loaders.members.load(member_id)
    if member is None or (status := member.status_at(context.as_of)) != MemberStatus.ACTIVE:
        raise MemberNotActive(status=MemberStatus.CLOSED if member is None else status)
    return _codes(context).issue(member_id, context.as_of)


def read(context: Context, token: str, field: str = "member") -> Shown:
    """What the code in this field says. Raises InvalidInput."""
    try:
        return _codes(context).read(token)
    except InvalidInput as refusal:
        raise refusal.at(field) from None


def using(context: Context, request: Request, sent: Sent, *fields: str) -> None:
    """Have a request use up the codes by which it names members in these fields.

    That is decided where it is posted: a repeated key gets its answer also when the code has expired since.
    """
    request.gates = tuple(_at_work(context, sent, fields))


async def claim(context: Context, session: AsyncSession, sent: Sent, *fields: str) -> None:
    """Use up the codes in these fields, in this transaction. Raises MemberCodeExpired, MemberCodeUsed."""
    for one in _at_work(context, sent, fields):
        await one.claim(session)


def require_good(context: Context, sent: Sent) -> None:
    """Who only looks does not use a code up. Raises MemberCodeExpired, InvalidInput."""
    if sent.get("token") is not None:
        Presenting(read(context, sent["token"]), context.as_of, ("token",)).require_good()


def drawn(payload: str, *, svg: bool, scale: int) -> str:
    """A QR code as a data: URI. Raises InvalidInput."""
    if scale not in SCALES:
        raise InvalidInput(reason=f"must be from {SCALES.start} to {SCALES.stop - 1}", path=("scale",))
    code = segno.make_qr(payload, error="m")
    return code.svg_data_uri(scale=scale) if svg else code.png_data_uri(scale=scale)


def _at_work(context: Context, sent: Sent, fields: Sequence[str]) -> list[Presenting]:
    """The codes in these fields, by default in `member`."""
    refs = [(field, sent.get(field) or {}) for field in fields or ("member",)]
    return [
        Presenting(read(context, ref["token"], field), context.as_of, (field, "token"))
        for field, ref in refs
        if ref.get("token") is not None
    ]


def _codes(context: Context) -> Codes:
    if context.runtime.codes is None:
        raise LookupError("this process has no keys for codes")
    return context.runtime.codes
