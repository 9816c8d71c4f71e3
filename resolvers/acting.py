"""For whom and on whom a caller may act: merchants act for themselves, members on themselves."""

from uuid import UUID

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.members.model import IdentifierRef, MemberRef, Resolved
from domain.programs.catalogue import Merchant
from resolvers import codes
from resolvers.context import Context
from resolvers.sent import Sent
from resolvers.wallets import holder_of


def merchant_of(context: Context, code: str) -> Merchant:
    """The merchant that a call names. Raises NotFound; NotAllowed if it is not the one the caller acts for."""
    merchant = context.runtime.catalogue.merchants.get(code)
    if merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    if context.own_merchant_id not in (None, merchant.id):
        raise NotAllowed(reason="this client acts for another merchant", path=("merchant",))
    return merchant


def ref_of(context: Context, sent: Sent) -> MemberRef:
    """The reference in a MemberRef: exactly one of its fields is set. Raises NotFound for an id that is none.

    A code is read here; who acts on it uses it up (resolvers.codes).
    """
    if sent.get("token") is not None:
        return codes.read(context, sent["token"]).member_id
    if sent.get("id") is not None:
        return holder_of(sent["id"])
    if sent.get("number") is not None:
        number: str = sent["number"]
        return number
    return identifier_of(sent["identifier"])


def identifier_of(sent: Sent) -> IdentifierRef:
    """The identifier in an IdentifierInput."""
    return IdentifierRef(sent["type"], sent.get("issuer"), sent["value"])


async def member_of(context: Context, merchant: Merchant, sent: Sent) -> UUID:
    """The member that a call at `merchant` names; see `reached`. Raises NotFound, InvalidInput."""
    return (await reached(context, merchant, sent)).member_id


async def reached(context: Context, merchant: Merchant, sent: Sent) -> Resolved:
    """The member that a call at `merchant` names, and whether they have joined it. Raises NotFound, InvalidInput.

    A merchant reaches who has joined it, and whoever presents an identifier or a code at its till; a member,
    themselves. Who names by a code uses it up (resolvers.codes.used).
    """
    ref = ref_of(context, sent)
    found = await context.house.resolve.load((merchant.code, ref))
    viewer = context.signed_in
    at_till = found.joined or isinstance(ref, IdentifierRef) or sent.get("token") is not None
    near = {"merchant": at_till, "member": viewer.member_id == found.member_id}.get(viewer.kind, True)
    if not near:
        raise NotFound(what="member", path=("member",))
    return found


def one_of(sent: Sent, *names: str) -> str:
    """Which one of these fields was sent. Raises InvalidInput unless it is exactly one."""
    given = [name for name in names if sent.get(name) is not None]
    if len(given) != 1:
        raise InvalidInput(reason=f"give exactly one of {', '.join(names)}", path=(given or list(names))[:1])
    return given[0]
