"""What is known of members, as far as a caller may see it, and telling more of it (A14, L7)."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts import queries as contacts
from domain.contacts.commands import set_preference
from domain.contacts.model import ContactPreference
from domain.contacts.sharing import DataKind
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.ledger.errors import MemberNotActive
from domain.members.model import Member, MemberStatus
from domain.profiles import queries, tags
from domain.profiles.commands import tell
from domain.profiles.errors import TagByRule, UnknownAttribute
from domain.profiles.filters import attribute_is, tagged
from domain.profiles.model import Known, MemberTag, Told
from domain.profiles.rules import MAX_VALUES, Reader, checked, sees, sets, tag_code
from domain.programs.catalogue import Merchant
from domain.programs.profiles import Attribute
from domain.programs.tagging import Tag
from domain.reads.model import ReadKind
from resolvers.acting import member_of, merchant_of, ref_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.noting import note
from resolvers.once import once
from resolvers.sent import Sent, key_of
from resolvers.sharing import may_have

MOST_TAGGED = 500
MOST_COMPARED = 10
"""How many attributes, and how many tags, a filter names at most."""
_STATUS = text("SELECT status FROM member WHERE id = :id")


def reader_of(context: Context) -> Reader:
    """The caller, as attributes name who may."""
    own = context.own_merchant_id
    merchant = None if own is None else context.runtime.catalogue.merchants_by_id[own].code
    return Reader(context.signed_in.kind, merchant)


def attributes_of(context: Context) -> dict[str, Attribute]:
    """The declared attributes that the caller may see."""
    reader = reader_of(context)
    declared = context.runtime.catalogue.members.attributes
    return {code: attribute for code, attribute in declared.items() if sees(reader, attribute)}


def declared(context: Context) -> list[tuple[Attribute, bool, bool]]:
    """The declared attributes that the caller may see or set, by code; and whether they may see, and set it."""
    reader = reader_of(context)
    found = sorted(context.runtime.catalogue.members.attributes.items())
    may = [(attribute, sees(reader, attribute), sets(reader, attribute)) for _, attribute in found]
    return [(attribute, seen, set_) for attribute, seen, set_ in may if seen or set_]


async def of_member(context: Context, member_id: UUID, codes: Sequence[str] | None) -> list[Known]:
    """What is known of a member and may be seen; of these attributes, if they are named.

    What is personal and the alliance's, a merchant sees only where it was told it itself, or the member lets it have
    it (L7).
    """
    attributes, own = attributes_of(context), context.own_merchant_id

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[Known]]:
        found = await queries.known(session, attributes, keys)
        return [found[key] for key in keys]

    found: list[Known] = await context.loaders.one_of("profiles", load).load(member_id)
    wanted = [known for known in found if codes is None or known.code in codes]
    told = [known for known in wanted if _told_to(own, attributes[known.code], known.merchant_id)]
    shown = told
    if len(told) < len(wanted) and await may_have(context, member_id, DataKind.PROFILE):
        shown = wanted
    if any(attributes[known.code].personal for known in shown):
        await note(context, member_id, ReadKind.PROFILE)
    return shown


def _told_to(own: UUID | None, attribute: Attribute, merchant_id: UUID | None) -> bool:
    return own is None or not attribute.personal or attribute.merchant is not None or merchant_id == own


def conditions(
    context: Context, session: AsyncSession, merchant_id: UUID | None, sent: Sent
) -> list[ColumnElement[bool]]:
    """What a filter asks of attributes and tags, as SQL. Raises a Refusal with its path."""
    own, found = context.own_merchant_id, []
    known = attributes_of(context)
    compared_all = sent.get("attributes") or []
    if len(compared_all) > MOST_COMPARED:
        raise InvalidInput(reason=f"at most {MOST_COMPARED}", path=("filter", "attributes"))
    for place, asked in enumerate(compared_all):
        try:
            attribute = known.get(asked["code"])
            if attribute is None:
                raise UnknownAttribute(attribute=asked["code"][:40], path=("code",))
            foreign = own is not None and attribute.personal and attribute.merchant is None
            compared = {name: value for name, value in asked.items() if name != "code"}
            found.append(attribute_is(session, Member.id, attribute, compared, own if foreign else None))
        except Refusal as refusal:
            raise refusal.at("filter", "attributes", str(place)) from None
    if (wanted := sent.get("tags")) is not None:
        if context.signed_in.kind == "auditor":
            raise NotAllowed(reason="auditors see no tags", path=("filter", "tags"))
        alliance = context.runtime.catalogue.alliance.id
        among = [alliance] if merchant_id is None else [alliance, merchant_id]

        def owners(code: str) -> list[UUID]:
            return [owner_id for owner_id in among if _sees_tag(context, owner_id, code)]

        if sum(map(len, filter(None, wanted.values()))) > MOST_COMPARED:
            raise InvalidInput(reason=f"at most {MOST_COMPARED}", path=("filter", "tags"))
        found += tagged(Member.id, owners, {name: codes for name, codes in wanted.items() if codes})
    return found


async def preference(context: Context, member_id: UUID) -> ContactPreference | None:
    """The language and time zone of a member, where they are known."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[ContactPreference | None]:
        found = await contacts.preferences(session, keys)
        return [found.get(key) for key in keys]

    return await context.loaders.one_of("preferences", load).load(member_id)


def profile_of(context: Context, merchant: Merchant | None, sent: Sent) -> dict[str, Any]:
    """The `profile` of an input, checked, as the caller may set it. Raises a Refusal with its path."""
    profile = sent.get("profile")
    if profile is None:
        return {}
    if not isinstance(profile, dict) or not len(profile) <= MAX_VALUES:
        raise InvalidInput(reason=f"must be an object of at most {MAX_VALUES} attributes", path=("profile",))
    try:
        return checked(context.runtime.catalogue.members.attributes, reader_of(context), profile)
    except Refusal as refusal:
        raise refusal.at("profile") from None


def plain_profile(sent: Sent) -> dict[str, Any]:
    """What was sent, its profile as a digest: as a key remembers it. Nulls in it count."""
    profile = sent.get("profile")
    if profile is None:
        return {**sent}
    try:
        body = orjson.dumps(profile, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise InvalidInput(reason="must be JSON, its numbers of 64 bits at most", path=("profile",)) from None
    return {**sent, "profile": hashlib.sha256(body).hexdigest()}


async def keep(
    context: Context, session: AsyncSession, member_id: UUID, merchant: Merchant | None, values: Mapping[str, Any]
) -> list[str]:
    """Keep checked values of a member, in the caller's transaction; which attributes changed."""
    if not values:
        return []
    catalogue = context.runtime.catalogue
    merchants = {one.code: one.id for one in catalogue.merchants.values()}
    told = Told(member_id, dict(values), context.as_of, None if merchant is None else merchant.id)
    return (await tell(session, catalogue.members, merchants, [told])).get(member_id, [])


async def update(context: Context, sent: Sent) -> dict[str, Any]:
    """Keep what is told of a member: `member`, `changed` attributes. Raises a Refusal."""
    key = key_of(context, "updateMember", plain_profile(sent))
    merchant = _merchant(context, sent)
    member_id = await _member(context, merchant, sent["member"])
    values = profile_of(context, merchant, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        status = await session.scalar(_STATUS, {"id": member_id})
        if status == MemberStatus.CLOSED:
            raise MemberNotActive(status=status, path=("member",))
        await claim(context, session, sent)
        await set_preference(session, member_id, language=sent.get("language"), timezone=sent.get("timezone"))
        return {"member": str(member_id), "changed": await keep(context, session, member_id, merchant, values)}

    return await once(context, key, act)


def _merchant(context: Context, sent: Sent) -> Merchant | None:
    """Where it is told: a merchant's client's own, unless it is named; nowhere for the operator and members."""
    code = sent.get("merchant")
    if code is not None:
        return merchant_of(context, code)
    own = context.own_merchant_id
    return None if own is None else context.runtime.catalogue.merchants_by_id[own]


async def _member(context: Context, merchant: Merchant | None, sent: Sent) -> UUID:
    """The member that a call names: a merchant reaches who has joined it. Raises NotFound."""
    house = merchant or next(iter(context.runtime.catalogue.merchants.values()), None)
    if house is None:
        raise InvalidInput(reason="no alliance file was applied yet")
    if context.own_merchant_id is None:
        return await member_of(context, house, sent)
    found = await context.house.resolve.load((house.code, ref_of(context, sent)))
    if not found.joined:
        raise NotFound(what="member", path=("member",))
    return found.member_id


async def tag(context: Context, sent: Sent, *, on: bool) -> list[dict[str, Any]]:
    """Put a tag on members or take it off, one answer each, in order: `member`, `changed`, or `refusal`.

    Raises a Refusal for the whole.
    """
    key = key_of(context, "tagMembers" if on else "untagMembers", sent)
    merchant = _merchant(context, sent)
    code = tag_code(sent["tag"])
    refs = sent["members"]
    if not 1 <= len(refs) <= MOST_TAGGED:
        raise InvalidInput(reason=f"give 1 to {MOST_TAGGED}", path=("members",))
    owner_id = context.runtime.catalogue.alliance.id if merchant is None else merchant.id
    ruled = declared_tag(context, owner_id, code)
    if ruled is not None and ruled.when is not None:
        raise TagByRule(tag=code, path=("tag",))
    if merchant is None and context.signed_in.kind != "operator":
        raise NotAllowed(reason="tags of the alliance are the operator's", path=("merchant",))
    found = await asyncio.gather(*(_found(context, merchant, refs, place) for place in range(len(refs))))

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent, "members")
        holders = [one for one in found if isinstance(one, UUID)]
        if on:
            changed = await tags.put(session, owner_id, code, holders, context.as_of)
        else:
            changed = await tags.take(session, owner_id, code, holders)
        return {"results": [_result(one, changed) for one in found]}

    results: list[dict[str, Any]] = (await once(context, key, act))["results"]
    return results


async def _found(context: Context, merchant: Merchant | None, refs: Sequence[Sent], place: int) -> UUID | Refusal:
    try:
        return await _member(context, merchant, refs[place])
    except Refusal as refusal:
        refusal.path = ("members", str(place), *refusal.path[1:])
        return refusal


def _result(one: UUID | Refusal, changed: set[UUID]) -> dict[str, Any]:
    if isinstance(one, Refusal):
        return {"refusal": one.to_json()}
    changes = one in changed
    changed.discard(one)  # named twice, it was changed once
    return {"member": str(one), "changed": changes}


async def tags_of(context: Context, member_id: UUID) -> list[MemberTag]:
    """The tags of a member that the caller may see: a merchant its own, the operator all."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[MemberTag]]:
        found = await tags.tags(session, keys)
        return [found[key] for key in keys]

    found: list[MemberTag] = await context.loaders.one_of("tags", load).load(member_id)
    return [row for row in found if _sees_tag(context, row.owner_id, row.code)]


def declared_tag(context: Context, owner_id: UUID, code: str) -> Tag | None:
    """A tag of that owner as the alliance file declares it."""
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants_by_id.get(owner_id)
    whose = None if merchant is None else merchant.code
    return next((one for one in catalogue.members.tags if (one.merchant, one.code) == (whose, code)), None)


def _sees_tag(context: Context, owner_id: UUID, code: str) -> bool:
    """Whether the caller may see a tag of that owner: its own, or one that says so; the operator all."""
    kind, own = context.signed_in.kind, context.own_merchant_id
    if kind in ("operator", "auditor"):
        return kind == "operator"
    if kind == "merchant" and own == owner_id:
        return True
    declared = declared_tag(context, owner_id, code)
    if declared is None or kind not in declared.read:
        return False
    return kind == "member" or declared.merchant is None
