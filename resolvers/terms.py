"""Which terms there are, and which of them a member accepted (L3)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts import accepting
from domain.contacts.accepting import NewAcceptance, TermsAcceptance, published
from domain.errors import InvalidInput
from domain.programs.accepting import TermsVersion, in_force
from domain.programs.catalogue import Merchant
from resolvers.acting import member_of, merchant_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.sent import Sent, key_of

MOST_ACCEPTED = 10


async def accept(context: Context, sent: Sent) -> UUID:
    """Keep that a member accepted a version of terms; whose. Raises a Refusal."""
    channel = None if sent.get("channel") is None else sent["channel"].value
    key = key_of(context, "acceptTerms", {**sent, "channel": channel})
    merchant = merchant_of(context, sent["merchant"])
    member_id = await member_of(context, merchant, sent["member"])
    accepted = accepted_of(context, member_id, merchant, sent, channel)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await accepting.accept(session, [accepted])
        return {}

    await once(context, key, act)
    return member_id


def accepted_of(
    context: Context, member_id: UUID, merchant: Merchant, sent: Sent, channel: str | None
) -> NewAcceptance:
    """What was sent of an acceptance. Raises NotFound, InvalidInput."""
    code, version, language = sent["terms"], sent["version"], sent["language"]
    published(context.runtime.catalogue, merchant, code, version, language)
    client_id = context.signed_in.client_id
    return NewAcceptance(member_id, code, version, language, merchant.id, channel, context.as_of, client_id)


def check_several(context: Context, merchant: Merchant, several: Sequence[Sent]) -> None:
    """Raises InvalidInput for too many, NotFound and InvalidInput for what nobody can accept at that merchant."""
    if len(several) > MOST_ACCEPTED:
        raise InvalidInput(reason=f"give at most {MOST_ACCEPTED}", path=("terms",))
    for one in several:
        published(context.runtime.catalogue, merchant, one["terms"], one["version"], one["language"])


def offered(context: Context, merchant: str | None) -> list[TermsVersion]:
    """The terms of a merchant (None: the alliance's): what is in force as of now, and what is announced."""
    found: list[TermsVersion] = []
    for versions in context.runtime.catalogue.members.terms.values():
        if versions[0].merchant == merchant:
            holds = _in_force(context, versions)
            found += [one for one in versions if holds is None or one.version >= holds.version]
    return found


async def of_member(context: Context, member_id: UUID) -> list[TermsAcceptance]:
    """What they accepted, newest first; a merchant sees what is of its own terms, or of the alliance's."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[TermsAcceptance]]:
        found = await accepting.acceptances(session, keys)
        return [found[key] for key in keys]

    rows = await context.loaders.one_of("terms", load).load(member_id)
    return [row for row in rows if _whose(context, row.terms) in _seen(context)]


async def to_accept(context: Context, member_id: UUID) -> list[TermsVersion]:
    """What is in force, of the alliance and of merchants they joined, and neither it nor a later version accepted."""
    merchants = context.runtime.catalogue.merchants_by_id
    joined = {merchants[row.merchant_id].code for row in await context.loaders.memberships.load(member_id)}
    newest: dict[str, int] = {}
    for row in await of_member(context, member_id):
        newest[row.terms] = max(row.version, newest.get(row.terms, 0))
    held = (_in_force(context, versions) for versions in context.runtime.catalogue.members.terms.values())
    return [
        one
        for one in held
        if one is not None
        and one.merchant in {None, *joined} & _seen(context)
        and one.version > newest.get(one.code, 0)
    ]


def replaced(context: Context, version: TermsVersion) -> TermsVersion | None:
    """The version before it."""
    earlier = (one for one in context.runtime.catalogue.members.terms[version.code] if one.version < version.version)
    return max(earlier, key=lambda one: one.version, default=None)


def starts_at(context: Context, version: TermsVersion) -> datetime:
    """Its first instant."""
    return version.starts_at(_zone(context, version.merchant))


def _in_force(context: Context, versions: Sequence[TermsVersion]) -> TermsVersion | None:
    return in_force(versions, _zone(context, versions[0].merchant), context.as_of)


def _zone(context: Context, merchant: str | None) -> ZoneInfo:
    catalogue = context.runtime.catalogue
    return catalogue.alliance.timezone if merchant is None else catalogue.merchants[merchant].timezone


def _whose(context: Context, code: str) -> str | None:
    return context.runtime.catalogue.members.terms[code][0].merchant


def _seen(context: Context) -> set[str | None]:
    """Whose terms the viewer sees members' acceptance of."""
    own = context.own_merchant_id
    return {None, *(one.code for one in context.runtime.catalogue.merchants.values() if own in (None, one.id))}
