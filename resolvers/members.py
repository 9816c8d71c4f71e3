"""Members in reach; enrolling."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.rules import require_not_ahead
from domain.contacts.accepting import accept
from domain.contacts.commands import record, set_preference
from domain.contacts.sharing import DataKind
from domain.errors import InvalidInput, NotFound, Refusal
from domain.members import commands, listing, rules
from domain.members.model import EnrolAsk, Identifier, IdentifierRef, Member
from domain.programs.catalogue import Merchant
from domain.reads.model import ReadKind
from resolvers import profiles, terms
from resolvers.acting import identifier_of, merchant_of, ref_of
from resolvers.codes import require_good
from resolvers.contacts import consent_of, plain_consents
from resolvers.context import Context
from resolvers.identifying import vouches
from resolvers.noting import note
from resolvers.once import once
from resolvers.pages import Page, Window
from resolvers.profiles import keep, plain_profile, profile_of
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of, occurred_at, plain
from resolvers.sharing import may_have
from resolvers.viewer import Scope

MOST_CONSENTS = 10
MEMBER_SHAPE = (datetime.fromisoformat, UUID)


async def find(context: Context, by: Sent) -> Member | None:
    """The member that a reference names, if in reach. Raises InvalidInput for an identifier that cannot be."""
    plain(by, ("by",))
    try:
        require_good(context, by)
        ref = ref_of(context, by)
        if isinstance(ref, UUID):
            return await context.loaders.members.load(ref)
        merchant = _asking(context, ref)
        if merchant is None:
            return None
        found = await context.house.resolve.load((merchant.code, ref))
    except NotFound:
        return None
    return await context.loaders.members.load(found.member_id)


def _asking(context: Context, ref: UUID | str | IdentifierRef) -> Merchant | None:
    """The merchant by whose customs an identifier is read: the caller, or else the issuer, or else any."""
    catalogue = context.runtime.catalogue
    if context.own_merchant_id is not None:
        return catalogue.merchants_by_id.get(context.own_merchant_id)
    issuer = ref.issuer if isinstance(ref, IdentifierRef) else None
    return catalogue.merchants.get(issuer or "") or next(iter(catalogue.merchants.values()), None)


async def page(context: Context, asked: Window, sent: Sent) -> Page[Member]:
    """Members in the order of joining; a merchant's client sees those who joined it, whatever it asks for."""
    try:
        merchant_id, none = await _narrowed(context, sent)
    except Refusal as refusal:
        raise refusal.at("filter") from None
    size = {"last": asked.size} if asked.backward else {"first": asked.size}
    async with context.runtime.database.reader() as session:
        wanted = listing.Wanted(
            merchant_id,
            sent.get("status"),
            sent.get("stage"),
            sent.get("joinedFrom"),
            sent.get("joinedBefore"),
            None if (channel := sent.get("channel")) is None else channel.value,
            [*none, *profiles.conditions(context, session, merchant_id, sent)],
        )
        found = await listing.page(session, wanted, after=asked.after, before=asked.before, **size)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await listing.count(session, wanted)

    return Page(found.members, has_next=found.has_next, has_previous=found.has_previous, total=total)


async def _narrowed(context: Context, sent: Sent) -> tuple[UUID | None, list[ColumnElement[bool]]]:
    """To whose members a list is narrowed, and to which one by its identifier: nobody, if nobody has it."""
    merchant_id = members_of(context.signed_in)
    code = sent.get("merchant")
    if merchant_id is None and code is not None:
        known = context.runtime.catalogue.merchants.get(code)
        if known is None:
            raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
        merchant_id = known.id
    if sent.get("identifier") is None:
        return merchant_id, []
    try:
        found = await find(context, {"identifier": sent["identifier"]})
    except InvalidInput as refusal:
        refusal.path = ("identifier", *refusal.path[2:])
        raise
    return merchant_id, [false() if found is None else Member.id == found.id]


async def identifiers(context: Context, member_id: UUID) -> list[tuple[Identifier, str]]:
    """What a member is recognised by, each as this viewer may see it: masked but for the scope identifiers:read.

    An auditor sees none; a merchant none of those that another merchant issued, and those of the alliance whole only
    where the member lets it have them.
    """
    viewer = context.signed_in
    if viewer.kind == "auditor":
        return []
    found = await context.loaders.identifiers.load(member_id)
    merchant = context.runtime.catalogue.merchants_by_id.get(viewer.merchant_id) if viewer.merchant_id else None
    if merchant is not None:
        others = context.runtime.catalogue.merchants.keys() - {merchant.code}
        found = [row for row in found if row.issuer not in others]
    if Scope.IDENTIFIERS_READ not in viewer.scopes:
        return [(row, rules.mask(row.value)) for row in found]
    # What is the alliance's, such as a telephone number, a merchant has by the member's consent (L7).
    shared = merchant is None or await may_have(context, member_id, DataKind.IDENTIFIERS)
    if any(row.issuer or shared for row in found):
        await note(context, member_id, ReadKind.IDENTIFIERS)
    return [(row, row.value if row.issuer or shared else rules.mask(row.value)) for row in found]


async def enrol(context: Context, sent: Sent) -> dict[str, Any]:
    """Find or create a member, and have them join: `member`, `created`, `joined`. Raises a Refusal."""
    key = key_of(context, "enrolMember", plain_profile(plain_consents(sent)))
    merchant = merchant_of(context, sent["merchant"])
    consents = sent.get("consents") or []
    if len(consents) > MOST_CONSENTS:
        raise InvalidInput(reason=f"give at most {MOST_CONSENTS}", path=("consents",))
    require_not_ahead(occurred_at(context, sent), context.as_of)
    values = profile_of(context, merchant, sent)
    accepted = sent.get("terms") or []
    terms.check_several(context, merchant, accepted)
    ask = EnrolAsk(
        merchant=merchant.code,
        channel=sent["channel"].value,
        store=sent.get("store"),
        identifiers=tuple(identifier_of(identifier) for identifier in sent["identifiers"]),
        as_of=context.as_of,
        jurisdiction=sent.get("jurisdiction"),
        verified=vouches(context, sent),
    )

    async def act(session: AsyncSession) -> dict[str, Any]:
        enrolled = await commands.enrol(session, context.runtime.catalogue, ask)
        id_, known = enrolled.member_id, {name: sent.get(name) for name in ("language", "timezone")}
        await set_preference(session, id_, **known)
        await keep(context, session, id_, merchant, values)
        await record(session, [consent_of(context, id_, merchant, said, context.as_of) for said in consents])
        await accept(session, [terms.accepted_of(context, id_, merchant, one, ask.channel) for one in accepted])
        return {"member": str(enrolled.member_id), "created": enrolled.created, "joined": enrolled.joined}

    return await once(context, key, act)
