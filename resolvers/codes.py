"""Codes that members show: issued to themselves, read and used up at tills."""

import segno
from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes.commands import Presenting
from domain.codes.model import MemberCode, Shown
from domain.codes.rules import Codes
from domain.errors import InvalidInput, NotAllowed
from domain.ledger.errors import MemberNotActive
from domain.ledger.request import Request
from domain.members.model import Member, MemberStatus
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
    if member is None:
        raise MemberNotActive(status=MemberStatus.CLOSED)
    return issued_to(context, member)


def issued_to(context: Context, member: Member) -> MemberCode:
    """A code of a member's who is there. Raises MemberNotActive."""
    if (status := member.status_at(context.as_of)) != MemberStatus.ACTIVE:
        raise MemberNotActive(status=status)
    return _codes(context).issue(member.id, context.as_of)


def read(context: Context, token: str, *path: str) -> Shown:
    """What the code there says, by default in `member`. Raises InvalidInput."""
    try:
        return _codes(context).read(token)
    except InvalidInput as refusal:
        raise refusal.at(*(path or ("member",))) from None


def using(context: Context, request: Request, sent: Sent, *fields: str) -> None:
    """Have a request use up the codes by which it names members in these fields.

    That is decided where it is posted: a repeated key gets its answer also when the code has expired since.
    """
    request.gates = at_work(context, sent, *fields)


async def claim(context: Context, session: AsyncSession, sent: Sent, *fields: str) -> None:
    """Use up the codes in these fields, in this transaction. Raises MemberCodeExpired, MemberCodeUsed."""
    for one in at_work(context, sent, *fields):
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


def at_work(context: Context, sent: Sent, *fields: str) -> tuple[Presenting, ...]:
    """The codes in these fields, by default in `member`; a field may hold several references."""
    refs: list[tuple[tuple[str, ...], Sent]] = []
    for field in fields or ("member",):
        value = sent.get(field) or {}
        several = isinstance(value, list)
        refs += [((field, str(place)), one) for place, one in enumerate(value)] if several else [((field,), value)]
    return tuple(
        Presenting(read(context, ref["token"], *path), context.as_of, (*path, "token"))
        for path, ref in refs
        if ref.get("token") is not None
    )


def _codes(context: Context) -> Codes:
    if context.runtime.codes is None:
        raise LookupError("this process has no keys for codes")
    return context.runtime.codes
