"""No sequence of earns, exchanges, spends, holds, gifts, expiries and returns makes anyone richer out of nothing (A1).

What merchants owe each other must follow from the points that moved, whichever way they went; and where everything is
undone, everybody is as before, to the millionth. The figures are taken from the ledger's rows, not from clearing.
"""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from alliance.agreements.book import EarnTerms
from alliance.clearing.holds import capture_request, hold_request, release_request
from alliance.clearing.tiers import expire_request
from alliance.gifts.commands import gift_request, reverse_gift_request
from domain.errors import Refusal
from domain.ledger.due import DueWallet
from domain.ledger.errors import AlreadyReversed
from domain.ledger.model import Hold
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from tests.alliance.clearing.trio import trio
from tests.alliance.kinds import put_in_force
from tests.alliance.support import CLIENT, NOON, House, key

PLACES = ("grocer", "fuel", "cafe")
POINTS = ("GRO", "FUE", "CAF")
LIVES = ("earn", "earn", "earn", "spend", "spend", "exchange", "hold", "capture", "release", "give", "part", "back")
AMOUNTS = (100, 33, 7, 150, 61, 250, 400)
Step = tuple[str, int, int, int, int]


def steps(kinds: Sequence[str], most: int) -> st.SearchStrategy[list[Step]]:
    """Kind, whose, where, of what, how much; the first are earns."""
    rest = (st.integers(0, 1), st.integers(0, 2), st.integers(0, 2), st.sampled_from(AMOUNTS))
    first = st.lists(st.tuples(st.just("earn"), *rest), min_size=3, max_size=5)
    then = st.lists(st.tuples(st.sampled_from(kinds), *rest), min_size=most // 2, max_size=most)
    return st.builds(list[Step].__add__, first, then)


@dataclass(slots=True)
class Life:
    """Two members of the trio, and what they did."""

    house: House
    members: list[uuid.UUID]
    now: datetime = NOON
    done: list[tuple[str, uuid.UUID, Posted]] = field(default_factory=list)
    holds: list[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=list)

    async def live(self, life: Sequence[Step]) -> None:
        """One step after the other; what is refused changes nothing."""
        for kind, whose, where, what, much in life:
            self.now += timedelta(minutes=1)
            try:
                await self._step(kind, whose, PLACES[where], POINTS[what], much)
            except Refusal:
                continue

    async def _step(self, kind: str, whose: int, where: str, what: str, much: int) -> None:
        member, now = self.members[whose], {"as_of": self.now}
        if kind in ("spend", "exchange", "hold", "give"):
            what, much = await self._of_what_there_is(member, what, much)
        if kind == "earn":
            self.done.append((kind, member, await self.house.earn(member, where, much, what, **now)))
        elif kind == "spend":
            self.done.append((kind, member, await self.house.spend(member, where, much, what, **now)))
        elif kind == "exchange":
            other = POINTS[(POINTS.index(what) + 1 + much % 2) % 3]
            offered = await self.house.quote(member, what, other, points_out=much, **now)
            self.done.append((kind, member, await self.house.use(member, offered, **now)))
        elif kind == "give":
            self.done.append((kind, member, await self._give(member, what, much)))
        elif kind == "hold":
            await self._hold(member, where, what, much)
        elif kind in ("capture", "release") and self.holds:
            await self._end(kind, much)
        elif kind in ("part", "back") and self.done:
            of, member, posted = self.done[much % len(self.done)]
            asked = Asked(points=1 + much // 3) if kind == "part" and of in ("earn", "spend") else Asked()
            await self.undo(of, member, posted, asked)
        elif kind == "expire":
            self.now += timedelta(days=much)
            for one in self.members:
                for code in POINTS:
                    await self._expire(one, code)

    async def _of_what_there_is(self, member: uuid.UUID, what: str, much: int) -> tuple[str, int]:
        """Of these points, or of the next that the member has; mostly no more than there are."""
        async with self.house.runtime.database.session() as session:
            query = text("SELECT currency, posted - held FROM account WHERE holder_id = :id AND posted - held > debt")
            has = {code: int(free) for code, free in await session.execute(query, {"id": member})}
        after = POINTS.index(what)
        found = next((code for code in POINTS[after:] + POINTS[:after] if code in has), what)
        return found, min(much, has.get(found, much)) if much % 10 else much

    async def _post(self, request: Any) -> Posted:
        return await self.house.runtime.engine.post(request)

    async def _give(self, member: uuid.UUID, what: str, much: int) -> Posted:
        receiver = self.members[1 - self.members.index(member)]
        named = {"giver_id": member, "receiver_id": receiver, "currency": what, "points": much, "as_of": self.now}
        return await self._post(gift_request(self.house.runtime, key=key(), client_id=CLIENT, **named))

    async def _hold(self, member: uuid.UUID, where: str, what: str, much: int) -> None:
        merchant = self.house.runtime.catalogue.merchants[where]
        named = {"member_id": member, "merchant": merchant, "points": much, "currency": what, "seconds": 600_000}
        request = hold_request(self.house.runtime, as_of=self.now, key=key(), client_id=CLIENT, **named)
        self.holds.append((member, uuid.UUID((await self._post(request)).data["hold"])))

    async def _end(self, kind: str, much: int) -> None:
        place = self.holds.pop(much % len(self.holds))
        common = {"as_of": self.now, "key": key(), "client_id": CLIENT}
        async with self.house.runtime.database.session() as session:
            held = await session.get_one(Hold, place)
        if kind == "release":
            await self._post(release_request(hold=held, **common))
            return
        points = max(1, held.points * (much % 4) // 4)
        request = await capture_request(self.house.runtime, hold=held, points=points, **common)
        self.done.append(("spend", place[0], await self._post(request)))

    async def undo(self, of: str, member: uuid.UUID, posted: Posted, asked: Asked) -> None:
        """All that is left of it, or a part."""
        if of != "give":
            await self.house.reverse(member, posted, asked=asked, as_of=self.now)
            return
        receiver = self.members[1 - self.members.index(member)]
        assert posted.operation_id is not None
        named = {"giver_id": member, "operation_id": posted.operation_id, "receiver_id": receiver}
        named |= {"currency": await self._currency(posted), "key": key(), "client_id": CLIENT}
        named |= {"as_of": self.now, "occurred_at": self.now}
        await self._post(reverse_gift_request(self.house.runtime, **named))

    async def _currency(self, posted: Posted) -> str:
        async with self.house.runtime.database.session() as session:
            query = text("SELECT min(currency) FROM entry WHERE operation_id = :id")
            return str(await session.scalar(query, {"id": posted.operation_id}))

    async def _expire(self, member: uuid.UUID, code: str) -> None:
        issuer = self.house.runtime.catalogue.currencies[code].merchant_id
        await self._post(expire_request(self.house.runtime, DueWallet(member, code, issuer, 1), self.now))

    async def rows(self, query: str) -> list[Any]:
        """What a query says of the two; `:members` are theirs."""
        async with self.house.runtime.database.session() as session:
            return list(await session.execute(text(query), {"members": self.members}))


OWED = """
    SELECT kind, debtor_id, creditor_id, currency, sum(amount)::bigint
    FROM obligation WHERE holder_id = ANY(:members) GROUP BY 1, 2, 3, 4"""

# Of each funder and kind of points: granted; recovered and due of what came back; expired and still there, of lots for
# which something moves later.
FUNDED = """
    WITH lots AS (SELECT * FROM lot WHERE holder_id = ANY(:members) AND funder_id <> issuer_id),
    granted AS (
      SELECT l.funder_id, l.currency, l.holder_id, l.operation_id, sum(l.granted) AS points
      FROM lots l JOIN operation o ON o.holder_id = l.holder_id AND o.id = l.operation_id AND o.kind = 'EARN'
      GROUP BY 1, 2, 3, 4),
    back AS (
      SELECT g.funder_id, g.currency, sum(t.due) AS due,
             sum(coalesce(e.moved, 0) - coalesce(d.points, 0) + coalesce(p.points, 0)) AS recovered
      FROM granted g JOIN operation r ON r.holder_id = g.holder_id AND r.reverses = g.operation_id
      JOIN operation_return t ON t.holder_id = r.holder_id AND t.operation_id = r.id
      LEFT JOIN LATERAL (SELECT -sum(amount) AS moved FROM entry WHERE holder_id = r.holder_id AND operation_id = r.id
                         AND currency = g.currency) e ON true
      LEFT JOIN debt d ON d.holder_id = r.holder_id AND d.operation_id = r.id AND d.currency = g.currency
      LEFT JOIN LATERAL (SELECT sum(points) AS points FROM debt_payment
                         WHERE holder_id = r.holder_id AND debt_id = r.id AND currency = g.currency) p ON true
      GROUP BY 1, 2),
    expired AS (
      SELECT l.funder_id, l.currency, -sum(a.amount) AS points
      FROM lots l JOIN allocation a ON a.holder_id = l.holder_id AND a.lot_id = l.id
      JOIN operation o ON o.holder_id = a.holder_id AND o.id = a.operation_id AND o.kind = 'EXPIRE'
      WHERE l.agreement_version IS NOT NULL GROUP BY 1, 2),
    there AS (SELECT funder_id, currency, sum(remaining) AS points FROM lots
              WHERE agreement_version IS NOT NULL GROUP BY 1, 2)
    SELECT g.funder_id, g.currency, sum(g.points)::bigint, coalesce(max(b.recovered), 0)::bigint,
           coalesce(max(b.due), 0)::bigint, coalesce(max(x.points), 0)::bigint, coalesce(max(t.points), 0)::bigint
    FROM granted g LEFT JOIN back b USING (funder_id, currency) LEFT JOIN expired x USING (funder_id, currency)
    LEFT JOIN there t USING (funder_id, currency) GROUP BY 1, 2"""

# Points that were spent at a merchant, and that were exchanged (no fees among them), less what was put back.
MOVED = """
    SELECT e.counter_account, coalesce(u.merchant_id, o.merchant_id), e.currency,
           (SELECT max(i.currency) FROM entry i WHERE i.holder_id = e.holder_id AND i.operation_id = e.operation_id
            AND e.counter_account = 'EXCHANGE' AND i.currency <> e.currency),
           -sum(e.amount - coalesce(q.fee, 0) * sign(e.amount))::bigint
    FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
    LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
    LEFT JOIN quote_use w ON w.holder_id = o.holder_id AND w.operation_id = coalesce(o.reverses, o.id)
    LEFT JOIN quote q ON q.holder_id = w.holder_id AND q.id = w.quote_id AND q.out_currency = e.currency
    WHERE e.holder_id = ANY(:members) AND e.counter_account IN ('REDEMPTION', 'EXCHANGE')
    GROUP BY 1, 2, 3, 4"""


# No rate is over one here, nor any way round: what exchanges add to all wallets together is no more than they take.
GAINED = """
    SELECT coalesce(sum(amount), 0)::bigint FROM entry
    WHERE holder_id = ANY(:members) AND counter_account = 'EXCHANGE'"""

LEFT = "SELECT 1 FROM account WHERE holder_id = ANY(:members) AND (posted, held, debt) <> (0, 0, 0)"


async def check(life: Life) -> None:
    """What is owed is what the points that moved make it."""
    house, book = life.house, life.house.runtime.agreements
    owed: dict[tuple[str, uuid.UUID, uuid.UUID, str], int] = {}
    for kind, debtor, creditor, currency, amount in await life.rows(OWED):
        if kind in ("FUNDING", "BREAKAGE", "EARN"):
            issuer = house.runtime.catalogue.currencies[currency].merchant_id
            funder, sign = (debtor, 1) if creditor == issuer else (creditor, -1)
            place = ("FUNDED", funder, issuer, currency)
            owed[place] = owed.get(place, 0) + sign * amount
        elif kind != "FEE":
            owed[kind, debtor, creditor, currency] = amount
    expected: dict[tuple[str, uuid.UUID, uuid.UUID, str], int] = {}
    for funder, currency, granted, recovered, due, expired, there in await life.rows(FUNDED):
        issuer = house.runtime.catalogue.currencies[currency].merchant_id
        version = book.between(funder, issuer, NOON)
        assert version is not None
        terms: EarnTerms = version.earn[funder, currency]
        back = due if terms.shortfall_to == "issuer" else recovered
        used = granted - expired - there
        amount = terms.at_issue * (granted - back) + terms.at_use * (used - back) + terms.at_end * expired
        expected["FUNDED", funder, issuer, currency] = amount
    for account, merchant, currency, into, points in await life.rows(MOVED):
        issuer = house.runtime.catalogue.currencies[currency].merchant_id
        if account == "REDEMPTION" and issuer != merchant:
            version = book.between(issuer, merchant, NOON)
            assert version is not None
            expected["SPEND", issuer, merchant, currency] = points * version.redeem[merchant, currency].owed
        elif account == "EXCHANGE" and merchant == issuer and into is not None:
            taker = house.runtime.catalogue.currencies[into].merchant_id
            version = book.between(issuer, taker, NOON)
            assert version is not None
            place = ("EXCHANGE", issuer, taker, currency)
            expected[place] = expected.get(place, 0) + points * version.exchange[currency, into].owed
    assert {k: v for k, v in owed.items() if v} == {k: v for k, v in expected.items() if v}


@pytest.fixture
async def three(house: House) -> House:
    """The trio at work."""
    await put_in_force(house.runtime, trio())
    return house


@given(life=steps((*LIVES, "expire"), 16))
@settings(max_examples=12)
async def test_a01_whatever_happens_what_is_owed_follows_from_the_points_that_moved(
    three: House, life: list[Step]
) -> None:
    lived = Life(three, [await three.member(), await three.member()])
    await lived.live(life)
    await check(lived)
    [(gained,)] = await lived.rows(GAINED)
    assert gained <= 0


@given(life=steps(LIVES, 14))
@settings(max_examples=12)
async def test_a01_where_all_is_undone_everybody_is_as_before_to_the_millionth(three: House, life: list[Step]) -> None:
    lived = Life(three, [await three.member(), await three.member()])
    await lived.live([step for step in life if step[0] != "back"])
    for _ in range(len(lived.holds)):
        await lived._end("release", 0)
    for of, member, posted in reversed(lived.done):
        with suppress(AlreadyReversed):
            await lived.undo(of, member, posted, Asked())
    await check(lived)
    assert [row for row in await lived.rows(OWED) if row[-1]] == []
    assert await lived.rows(LEFT) == []
