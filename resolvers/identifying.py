"""By what members are recognised: linked, proved, taken away; and what it is good for at a till."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.merging.taken import merge_if_taken
from domain.errors import NotAllowed, NotFound, Refusal
from domain.members import commands
from domain.members.model import EnrolAsk, IdentifierRef, Resolved
from domain.passcodes.commands import use
from domain.programs.catalogue import Merchant
from resolvers.acting import identifier_of, member_of, merchant_of, reached
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.passcodes import asker_at, passcodes_of, require_joined
from resolvers.sent import Sent, key_of
from resolvers.viewer import Scope

TILLS = frozenset({"STORE", "KIOSK"})
"""Channels at which whoever shows an identifier is who they say."""

_NAMES = {"linked": "linkIdentifier", "verified": "verifyIdentifier", "unlinked": "unlinkIdentifier"}


def vouches(context: Context, sent: Sent) -> bool:
    """Whether the caller says that identifiers which have to be verified are: by its scope, unless it says otherwise.

    Raises NotAllowed for who says so without the scope.
    """
    may = Scope.IDENTIFIERS_VERIFY in context.signed_in.scopes
    said: bool | None = sent.get("verified")
    if said and not may:
        raise NotAllowed(reason=f"only with the scope {Scope.IDENTIFIERS_VERIFY}", path=("verified",))
    return may if said is None else said


def require_good_at_till(context: Context, sent: Sent) -> None:
    """At a till, only identifiers of types that are good for it take points from a member. Raises NotAllowed."""
    named = sent["member"].get("identifier")
    if named is None or sent["channel"].value not in TILLS:
        return
    declared = context.runtime.catalogue.identifier_types.get(named["type"])
    if declared is not None and not declared.at_till:
        reason = f"at a till, {declared.type} is not enough to spend points"
        raise NotAllowed(reason=reason, path=("member", "identifier", "type"))


async def buyer_of(context: Context, merchant: Merchant, sent: Sent) -> Resolved | None:
    """Whose purchase it is; None for a stranger whom it enrols (see `may_join`). Raises NotFound, InvalidInput."""
    try:
        return await reached(context, merchant, sent["member"])
    except NotFound:
        if not may_join(merchant, sent):
            raise
        return None


def may_join(merchant: Merchant, sent: Sent) -> bool:
    """Whether a purchase enrols who has not joined: it asks for it, names them by an identifier, and the merchant
    enrols on purchase. A dry run makes nobody."""
    named = sent["member"].get("identifier")
    return bool(sent.get("enrol")) and named is not None and merchant.enrol_on_purchase and not sent.get("dryRun")


async def newcomer(context: Context, merchant: Merchant, sent: Sent) -> UUID:
    """Whoever buys and has not joined the merchant: they do now, by the identifier that names them.

    Raises a Refusal, its path in the purchase.
    """
    ask = EnrolAsk(
        merchant=merchant.code,
        channel=sent["channel"].value,
        store=sent.get("store"),
        identifiers=(identifier_of(sent["member"]["identifier"]),),
        as_of=context.as_of,
        verified=Scope.IDENTIFIERS_VERIFY in context.signed_in.scopes,
    )
    try:
        async with context.runtime.database.transaction() as session:
            return (await commands.enrol(session, context.runtime.catalogue, ask)).member_id
    except Refusal as refusal:
        if refusal.path[:2] == ("identifiers", "0"):
            refusal.path = ("member", "identifier", *refusal.path[2:])
        raise


async def link(context: Context, sent: Sent) -> dict[str, Any]:
    """Let a member be recognised by one identifier more: `member`, `linked`, `merged`. Raises a Refusal."""
    verified = vouches(context, sent)
    return await _done(context, sent, "linked", commands.link_identifier, verified=verified, as_of=context.as_of)


async def verify(context: Context, sent: Sent) -> dict[str, Any]:
    """Say that an identifier was proved to be the member's: `member`, `verified`. Raises a Refusal.

    It was by the code that was sent to it, or the caller vouches for it.
    """
    if sent.get("code") is None and Scope.IDENTIFIERS_VERIFY not in context.signed_in.scopes:
        reason = f"without the code that was sent to it, only with the scope {Scope.IDENTIFIERS_VERIFY}"
        raise NotAllowed(reason=reason, path=("code",))
    return await _done(context, sent, "verified", commands.verify_identifier, as_of=context.as_of)


async def unlink(context: Context, sent: Sent) -> dict[str, Any]:
    """Let a member no longer be recognised by an identifier: `member`, `unlinked`. Raises a Refusal."""
    alone = bool(sent.get("numberAlone"))
    return await _done(context, sent, "unlinked", commands.unlink_identifier, number_alone=alone, as_of=context.as_of)


async def _done(
    context: Context, sent: Sent, done: str, act: Callable[..., Awaitable[bool]], **more: Any
) -> dict[str, Any]:
    """The member, and whether it was `done`.

    A merchant changes what its own members are recognised by, but not what another merchant issued to them; a member,
    what they can prove, and what they no longer want.
    """
    key = key_of(context, _NAMES[done], sent)
    merchant = merchant_of(context, sent["merchant"])
    member_id = await member_of(context, merchant, sent["member"])
    ref = identifier_of(sent["identifier"])
    if context.own_merchant_id is not None and done != "linked":
        await _require_own(context, member_id, merchant.code, ref)
    await require_joined(context, merchant)
    if context.signed_in.member_id is not None and done == "linked":
        _require_provable(context, ref)

    code: str | None = sent.get("code")
    destination, merged = b"", False

    async def before() -> None:
        nonlocal destination, merged
        client_id = context.signed_in.client_id
        if code is not None:
            destination = await passcodes_of(context).tried(asker_at(context, merchant), ref, code, context.as_of)
        if done == "linked" and _counts(context, ref, more["verified"]):
            named: dict[str, Any] = {"merchant": merchant.code, "member_id": member_id, "ref": ref}
            merged = await merge_if_taken(context.runtime, **named, as_of=context.as_of, client_id=client_id)

    async def run(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        catalogue = context.runtime.catalogue
        changed = await act(session, catalogue, member_id=member_id, merchant=merchant.code, ref=ref, **more)
        if code is not None:
            await use(session, destination, code.strip())
        return {"member": str(member_id), done: changed or merged, "merged": merged}

    return await once(context, key, run, before)


def _require_provable(context: Context, ref: IdentifierRef) -> None:
    """Whatever counts without a proof would be whoever's says so first. Raises NotAllowed."""
    declared = context.runtime.catalogue.identifier_types.get(ref.type)
    if declared is not None and declared.verify is None:
        raise NotAllowed(reason=f"{declared.type} cannot be proved: a merchant links it", path=("identifier", "type"))


def _counts(context: Context, ref: IdentifierRef, verified: bool) -> bool:
    """Whether it would identify the member at once."""
    declared = context.runtime.catalogue.identifier_types.get(ref.type)
    return declared is not None and (verified or declared.verify is None)


async def _require_own(context: Context, member_id: UUID, code: str, ref: IdentifierRef) -> None:
    """Raises NotFound for a member who has not joined the caller, or for what another merchant issued."""
    if not await context.loaders.memberships.load(member_id):
        raise NotFound(what="member", path=("member",))
    if ref.issuer is not None and ref.issuer != code and ref.issuer in context.runtime.catalogue.merchants:
        raise NotFound(what="identifier", path=("identifier",))
