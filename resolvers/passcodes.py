"""One-time codes: at a till, sent to who stands there and shown by them; and for what a member links themselves."""

from datetime import datetime

from alliance.passcodes import Asker, Passcodes
from domain.codes.model import MemberCode
from domain.errors import NotAllowed, NotFound, Refusal
from domain.members.model import IdentifierRef, Member
from domain.members.rules import identifier_key
from domain.programs.catalogue import Merchant
from resolvers import codes
from resolvers.acting import identifier_of, merchant_of
from resolvers.context import Context
from resolvers.sent import Sent, key_of
from resolvers.viewer import Scope


async def send(context: Context, sent: Sent) -> datetime:
    """Send a code; until when it is good. Limited, and not remembered: a lost answer is asked for again.

    A member has it sent to what is linked to them. Raises InvalidInput, NotFound, NotAllowed, TooManyAttempts.
    """
    key_of(context, "sendOneTimeCode", sent)
    ref, asker = identifier_of(sent["identifier"]), _asker(context, sent)
    await _require_linked(context, asker.merchant, ref)
    return await passcodes_of(context).send(asker, ref, context.language, context.as_of)


async def check(context: Context, sent: Sent) -> tuple[Member, bool, MemberCode]:
    """Who has the address, whether they are new, and a code of theirs for what follows. Not remembered: it proves that
    somebody is there now. Raises a Refusal."""
    key_of(context, "checkOneTimeCode", {**sent, "channel": sent["channel"].value})
    found = await passcodes_of(context).check(
        _asker(context, sent),
        identifier_of(sent["identifier"]),
        sent["code"],
        channel=sent["channel"].value,
        store=sent.get("store"),
        as_of=context.as_of,
    )
    context.forget()
    member = await context.loaders.members.load(found.member_id)
    if member is None:
        raise LookupError("a member that was just found is not there")
    return member, found.created, codes.issued_to(context, member)


def _asker(context: Context, sent: Sent) -> Asker:
    return asker_at(context, merchant_of(context, sent["merchant"]))


def asker_at(context: Context, merchant: Merchant) -> Asker:
    """The caller, at this merchant; who is signed in as a member is limited as one person."""
    viewer = context.signed_in
    host = None if viewer.member_id is None else str(viewer.member_id)
    return Asker(viewer.client_id, merchant, host, enrols=Scope.MEMBERS_WRITE in viewer.scopes)


async def require_joined(context: Context, merchant: Merchant) -> None:
    """A member's identifiers are a matter of merchants they have joined: no other hears of them (A14).

    Raises NotAllowed.
    """
    member_id = context.signed_in.member_id
    if member_id is None:
        return
    joined = await context.loaders.memberships.load(member_id)
    if all(one.merchant_id != merchant.id for one in joined):
        raise NotAllowed(reason="only at a merchant you have joined", path=("merchant",))


async def _require_linked(context: Context, merchant: Merchant, ref: IdentifierRef) -> None:
    viewer = context.signed_in
    if viewer.member_id is None:
        return
    if Scope.IDENTIFIERS_WRITE not in viewer.scopes:
        raise NotAllowed(reason=f"only with the scope {Scope.IDENTIFIERS_WRITE}", path=("identifier",))
    await require_joined(context, merchant)
    try:
        key = identifier_key(context.runtime.catalogue, merchant, ref)
    except Refusal as refusal:
        raise refusal.at("identifier") from None
    known_by = await context.loaders.identifiers.load(viewer.member_id)
    if all((one.type, one.issuer, one.value) != key for one in known_by):
        raise NotFound(what="identifier", path=("identifier",))


def passcodes_of(context: Context) -> Passcodes:
    """What sends and tries codes in this process. Raises LookupError where nothing does."""
    if context.house.passcodes is None:
        raise LookupError("this process sends no codes")
    return context.house.passcodes
