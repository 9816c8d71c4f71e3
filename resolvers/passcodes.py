"""One-time codes at a till: sent to who stands there, and shown by them."""

from datetime import datetime

from alliance.passcodes import Asker, Passcodes
from domain.codes.model import MemberCode
from domain.members.model import Member
from resolvers import codes
from resolvers.acting import identifier_of, merchant_of
from resolvers.context import Context
from resolvers.sent import Sent, key_of
from resolvers.viewer import Scope


async def send(context: Context, sent: Sent) -> datetime:
    """Send a code; until when it is good. Limited, and not remembered: a lost answer is asked for again.

    Raises InvalidInput, NotFound, NotAllowed, TooManyAttempts.
    """
    key_of(context, "sendOneTimeCode", sent)
    ref = identifier_of(sent["identifier"])
    return await passcodes_of(context).send(_asker(context, sent), ref, context.language, context.as_of)


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
    viewer = context.signed_in
    return Asker(viewer.client_id, merchant_of(context, sent["merchant"]), enrols=Scope.MEMBERS_WRITE in viewer.scopes)


def passcodes_of(context: Context) -> Passcodes:
    """What sends and tries codes in this process. Raises LookupError where nothing does."""
    if context.house.passcodes is None:
        raise LookupError("this process sends no codes")
    return context.house.passcodes
