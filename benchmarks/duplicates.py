"""`tessera bench duplicates`: how long it takes to compare all members, in how much memory, and how many are found."""

import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.file import apply, parse
from alliance.runtime import Runtime
from benchmarks.ledger.site import Plan
from benchmarks.outcome import Outcome, Result
from benchmarks.people import Person, pairs, people
from benchmarks.serving import house
from domain.database import Database
from domain.duplicates.commands import note_keys, propose
from domain.duplicates.model import CandidateStatus
from domain.duplicates.queries import cut_members, page
from domain.errors import Refusal
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, IdentifierRef
from domain.profiles.commands import tell
from domain.profiles.model import Told
from domain.programs.catalogue import Catalogue
from server.migrate import upgrade

SECTION = """
members:
  attributes:
    - {code: given_name, name: Given name, type: string, personal: true}
    - {code: family_name, name: Family name, type: string, personal: true}
    - {code: birthday, name: Birthday, type: date, personal: true}
    - {code: street, name: Street, type: string, personal: true}
  duplicates: {name: [given_name, family_name], birthday: birthday, address: [street], propose: "0.8"}
"""
TYPES = "  - {type: MOBILE, issuer: merchant, normalise: e164, unique: issuer}\n"
RANGE = 5_000


def bench_duplicates(plan: Plan) -> Outcome:
    """As many members as `purchases`, a twentieth of whom joined twice. Raises ServicesError."""
    with house("tessera bench duplicates") as settings:
        return asyncio.run(_measure(settings.database_url or "", settings.keys(), plan.purchases))


async def _measure(database_url: str, keys: object, count: int) -> Outcome:
    await upgrade(database_url)
    everybody = people(count)
    async with Runtime.open(database_url, keys=keys, pool_size=2) as runtime:  # type: ignore[arg-type]
        await lay_out(runtime)
        ids = await join(runtime.database, runtime.catalogue, everybody)
        began = time.monotonic()
        async with runtime.database.session() as session:
            firsts = await cut_members(session, RANGE)
        for place, (first, before) in enumerate(zip(firsts, [*firsts[1:], None], strict=True), 1):
            async with runtime.database.transaction() as session:
                await note_keys(session, runtime.catalogue, first, before)
            async with runtime.database.transaction() as session:
                await propose(session, runtime.catalogue, first, before, datetime.now(UTC))
            print(f"{place} of {len(firsts)}: {time.monotonic() - began:.0f} s, {_megabytes()} MB", file=sys.stderr)
        seconds = time.monotonic() - began
        async with runtime.database.session() as session:
            precision, recall = await quality(session, everybody, ids)
    more = {"seconds": seconds, "mb": float(_megabytes()), "precision": precision, "recall": recall}
    return Outcome([Result("duplicates", count / seconds, more=more)], {})


async def lay_out(runtime: Runtime) -> None:
    """The sample alliance, which looks for duplicates."""
    sample = (files("server.samples") / "demo.yaml").read_text()
    before, _, rest = sample.partition("\nmembers:")
    after = rest[rest.index("\nmerchants:") :]
    text = before.replace("identifiers:\n", "identifiers:\n" + TYPES) + "\n" + SECTION + after
    async with runtime.database.transaction() as session:
        await apply(session, parse(text, "duplicates.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
    await runtime.refresh()


async def join(database: Database, catalogue: Catalogue, everybody: Sequence[Person]) -> list[UUID]:
    """Have them all join, each with a card of their own; their ids, in order."""
    now, ids = datetime.now(UTC), []
    merchants = {merchant.code: merchant.id for merchant in catalogue.merchants.values()}
    for first in range(0, len(everybody), 1000):
        some = everybody[first : first + 1000]
        asks = []
        for place, one in enumerate(some, first):
            known = [IdentifierRef("CARD", None, f"d{place}")]
            if one.phone:
                known.append(IdentifierRef("MOBILE", None, one.phone))
            if one.email:
                known.append(IdentifierRef("EMAIL", None, one.email))
            # At another merchant, to whom their telephone number says nothing.
            asks.append(EnrolAsk("fuel" if one.again else "grocer", "STORE", None, tuple(known), now))
        async with database.transaction() as session:
            answers = await enrol_many(session, catalogue, asks)
            enrolled = [answer.member_id for answer in answers if not isinstance(answer, Refusal)]
            if len(set(enrolled)) < len(some):
                raise RuntimeError("somebody who was made up is somebody else as well")
            told = [
                Told(id_, {name: value for name, value in _values(one).items() if value}, now)
                for id_, one in zip(enrolled, some, strict=True)
            ]
            await tell(session, catalogue.members, merchants, told)
        ids += enrolled
    return ids


def _values(one: Person) -> dict[str, str]:
    return {"given_name": one.given, "family_name": one.family, "birthday": one.birthday, "street": one.address}


async def quality(session: AsyncSession, everybody: list[Person], ids: Sequence[UUID]) -> tuple[float, float]:
    """Of the pairs that are proposed, the share that is one person; and of those that are one person, the share that
    is proposed."""
    place = {id_: number for number, id_ in enumerate(ids)}
    rows = await page(session, size=10 * len(ids), status=CandidateStatus.PROPOSED)
    found = {tuple(sorted((place[row.one_id], place[row.other_id]))) for row in rows}
    true = pairs(everybody)
    right = len(found & true)
    return right / max(1, len(found)), right / max(1, len(true))


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
