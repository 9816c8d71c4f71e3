"""What moved, from the rows that say so, summed by day and account in the database and read as a stream.

Points are dated by when they were booked, and so is what is owed and netted; payments by when they were made.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import ObligationKind
from alliance.journal.model import Posting, Transaction
from alliance.journal.names import Names
from alliance.liability.queries import Money, booked
from alliance.settlement.rules import minor_unit
from domain.programs.catalogue import MICRO_PLACES

BOTH_SIDES = ("POINTS", "PENDING", "RIGHTS", "STOCK")
"""Accounts that have entries of their own; an entry against any other is that one's too."""

MONEY: Final = MICRO_PLACES


def _day(moment: str) -> str:
    """SQL for the day of a moment in the alliance's zone; all that lies outside of the days asked for is the day
    before them, or the day after."""
    return f"least(greatest(({moment} AT TIME ZONE :zone)::date, CAST(:before AS date)), CAST(:beyond AS date))"


# An entry under another holder than its operation's is one between the two.
_POINTS = f"""
    SELECT day, currency, account, counter_account, place, sum(amount) AS amount, sum(line) AS lines
    FROM (SELECT coalesce({_day("coalesce(o.booked_at, c.booked_at)")}, CAST(:before AS date)) AS day, e.currency,
                 e.account, e.counter_account, coalesce(o.merchant_id, c.merchant_id) AS place, e.amount, 1 AS line
          FROM entry e
          LEFT JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
          LEFT JOIN operation c ON o.id IS NULL AND c.holder_id = e.counter_holder_id AND c.id = e.operation_id
          UNION ALL
          SELECT {_day("until")}, currency, 'POINTS', counter_account, NULL, points, 0 FROM archived_sum) AS moved
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"""  # noqa: S608

_OWED = f"""
    SELECT {_day("booked_at")} AS day, debtor_id, creditor_id, kind, sum(amount) AS amount, count(*) AS lines
    FROM obligation GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""  # noqa: S608

# A line comes back into the account of the two when it is decided what becomes of it.
_OBJECTED = f"""
    SELECT day, first_id, second_id, sum(amount) AS amount, sum(line) AS lines
    FROM (SELECT {_day("booked_at")} AS day, first_id, second_id, amount, 1 AS line FROM objection
          UNION ALL
          SELECT {_day("s.at")}, first_id, second_id, -amount, 0
          FROM objection o
          CROSS JOIN LATERAL (SELECT max(at) AS at FROM dispute_step WHERE dispute_id = o.id) s
          WHERE o.released_in IS NOT NULL) AS moved
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608

_NETTED = f"""
    SELECT {_day("t.at")} AS day, first_id, second_id, sum(net) AS amount, count(*) AS lines
    FROM pair_net JOIN settlement_cycle c ON c.id = cycle_id AND c.status IN ('NETTED', 'SETTLING', 'SETTLED')
    JOIN cycle_transition t ON t.cycle_id = c.id AND t.status = 'NETTED'
    WHERE net <> 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608

_CARRIED = f"""
    SELECT {_day("t.at")} AS day, payer_id, payee_id, sum(amount) AS amount, count(*) AS lines
    FROM payment JOIN cycle_transition t ON t.cycle_id = payment.cycle_id AND t.status = 'NETTED'
    WHERE payment.status = 'CARRIED' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608

_PAID = f"""
    SELECT {_day("paid_at")} AS day, payer_id, payee_id, sum(amount) AS amount, count(*) AS lines
    FROM payment WHERE status = 'PAID' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608

_MOVED = f"""
    SELECT {_day("declared_at")} AS day, payer_id, payee_id, sum(amount) AS amount, count(*) AS lines
    FROM payment p JOIN merchant_default d ON d.cycle_id = p.cycle_id AND d.merchant_id = p.payer_id
    WHERE p.status = 'MOVED' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608


# What lies with the alliance itself is in a book of its own.
_TREASURY = f"""
    SELECT {_day("t.booked_at")} AS day, t.kind, account, party_id, sum(amount) AS amount,
           count(DISTINCT t.id) AS lines
    FROM money_entry JOIN money_transaction t ON t.id = transaction_id
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""  # noqa: S608


# At the end of each month that is closed: what its cohorts say of it, as `liability.queries.booked` books it.
_DEFERRED = """
    SELECT least(greatest((month + interval '1 month' - interval '1 day')::date, CAST(:before AS date)),
                 CAST(:beyond AS date)) AS day, merchant_id, currency, payable IS NULL AS principal,
           sum(opening) AS opening, sum(sold) AS sold, sum(funded) AS funded, sum(taken_sold) AS taken_sold,
           sum(taken_funded) AS taken_funded, sum(commission) AS commission, sum(redeemed_money) AS redeemed,
           sum(exchanged_money) AS exchanged, sum(change) AS change, sum(deferred) AS closing,
           sum(current) AS current, count(*) AS lines
    FROM liability_cohort JOIN liability_estimate USING (merchant_id, currency, month)
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""


async def moves(session: AsyncSession, names: Names, asked: Mapping[str, Any]) -> AsyncIterator[Transaction]:
    """All transactions, one kind after another, each kind in order of days.

    `asked`: the time zone, and the days `before` and `beyond` those that are asked for.
    """
    async for one in _points(session, names, asked):
        yield one
    async for one in _owed(session, names, asked):
        yield one
    async for row in await session.stream(text(_OBJECTED), asked):
        yield _suspended(names, row)
    async for row in await session.stream(text(_NETTED), asked):
        yield _netted(names, row)
    async for row in await session.stream(text(_CARRIED), asked):
        yield _carried(names, row)
    async for row in await session.stream(text(_PAID), asked):
        yield _paid(names, row)
    async for row in await session.stream(text(_MOVED), asked):
        yield _moved(names, row)
    async for one in _treasury(session, names, asked):
        yield one
    async for row in await session.stream(text(_DEFERRED), asked):
        yield _deferred(names, row)


async def _treasury(session: AsyncSession, names: Names, asked: Mapping[str, Any]) -> AsyncIterator[Transaction]:
    """One a day and kind."""
    async for (day, kind), rows in _grouped(session, _TREASURY, asked, 2):
        postings = [
            Posting(
                names.treasury(row.account, row.party_id),
                Decimal(_micro(names, row.amount)).scaleb(-MONEY),
                names.money,
            )
            for row in rows
        ]
        told = kind.replace("_", " ").capitalize()
        yield Transaction(day, told, max(int(row.lines) for row in rows), postings)


async def _points(session: AsyncSession, names: Names, asked: Mapping[str, Any]) -> AsyncIterator[Transaction]:
    """One a day and currency; a credit to a member is one to what the issuer owes."""
    async for (day, currency), rows in _grouped(session, _POINTS, asked, 2):
        moved: Counter[tuple[str, Any]] = Counter()
        for row in rows:
            moved[row.account, None] -= int(row.amount)
            if row.counter_account not in BOTH_SIDES:
                moved[row.counter_account, row.place] += int(row.amount)
        postings = []
        for (kind, place), amount in moved.items():
            account, commodity, places = names.of_currency(currency, kind)
            postings.append(Posting(account, Decimal(amount).scaleb(-places), commodity, names.place(place)))
        yield Transaction(day, currency, sum(int(row.lines) for row in rows), postings)


async def _owed(session: AsyncSession, names: Names, asked: Mapping[str, Any]) -> AsyncIterator[Transaction]:
    """One a day, debtor and creditor: their accounts with each other, and what it was for."""
    async for (day, debtor, creditor), rows in _grouped(session, _OWED, asked, 3):
        kinds: defaultdict[str, int] = defaultdict(int)
        for row in rows:
            kinds[row.kind] += int(row.amount)
        postings = _between(names.pair(creditor, debtor), names.pair(debtor, creditor), sum(kinds.values()), names)
        for kind, amount in kinds.items():
            result = (names.result(debtor, kind, received=False), names.result(creditor, kind, received=True))
            postings += _between(*result, amount, names)
        told = f"{names.party(debtor)} owes {names.party(creditor)}"
        yield Transaction(day, told, sum(int(row.lines) for row in rows), postings)


async def _grouped(
    session: AsyncSession, sql: str, asked: Mapping[str, Any], columns: int
) -> AsyncIterator[tuple[tuple[Any, ...], Sequence[Any]]]:
    """Rows that agree in so many first columns, by which they are ordered."""
    rows: list[Any] = []
    async for row in await session.stream(text(sql), asked):
        if rows and tuple(rows[0][:columns]) != tuple(row[:columns]):
            yield tuple(rows[0][:columns]), rows
            rows = []
        rows.append(row)
    if rows:
        yield tuple(rows[0][:columns]), rows


def _between(debit: str, credit: str, amount: int, names: Names) -> list[Posting]:
    """So many millionths from one account to another."""
    money = Decimal(amount).scaleb(-MONEY)
    return [Posting(debit, money, names.money), Posting(credit, -money, names.money)]


def _mirrored(names: Names, first: Sequence[str], second: Sequence[str], amount: int) -> list[Posting]:
    """The same on both sides: what one merchant has from its first account to its second, the other has the less."""
    there, back = _between(first[1], first[0], amount, names), _between(second[0], second[1], amount, names)
    return list(chain(there, back))


def _suspended(names: Names, row: Any) -> Transaction:
    one, other = row.first_id, row.second_id
    first, second = ((names.pair(a, b), names.suspense(a, b)) for a, b in ((one, other), (other, one)))
    told = f"Under objection between {names.party(one)} and {names.party(other)}"
    return Transaction(row.day, told, int(row.lines), _mirrored(names, first, second, int(row.amount)))


def _netted(names: Names, row: Any) -> Transaction:
    one, other = row.first_id, row.second_id
    first, second = ((names.pair(a, b), names.position(a)) for a, b in ((one, other), (other, one)))
    told = f"Netted between {names.party(one)} and {names.party(other)}"
    return Transaction(row.day, told, row.lines, _mirrored(names, first, second, _micro(names, row.amount)))


def _carried(names: Names, row: Any) -> Transaction:
    payer, payee = row.payer_id, row.payee_id
    first, second = ((names.position(a), names.pair(a, b)) for a, b in ((payee, payer), (payer, payee)))
    told = f"Too small to be paid: {names.party(payer)} to {names.party(payee)}"
    return Transaction(row.day, told, row.lines, _mirrored(names, first, second, _micro(names, row.amount)))


def _paid(names: Names, row: Any) -> Transaction:
    payer, payee = row.payer_id, row.payee_id
    first, second = ((names.position(party), names.bank(party)) for party in (payee, payer))
    told = f"{names.party(payer)} paid {names.party(payee)}"
    return Transaction(row.day, told, row.lines, _mirrored(names, first, second, _micro(names, row.amount)))


def _moved(names: Names, row: Any) -> Transaction:
    """Not paid by who is in default: it is owed again, by lines of the kind LOSS."""
    payer, payee = row.payer_id, row.payee_id
    first = (names.position(payee), names.result(payee, ObligationKind.LOSS, received=True))
    second = (names.position(payer), names.result(payer, ObligationKind.LOSS, received=False))
    told = f"{names.party(payer)} did not pay {names.party(payee)}"
    return Transaction(row.day, told, row.lines, _mirrored(names, first, second, _micro(names, row.amount)))


def _deferred(names: Names, row: Any) -> Transaction:
    moved = Money(**{one.name: int(getattr(row, one.name)) for one in fields(Money)})
    postings = [
        Posting(names.deferred(row.merchant_id, row.currency, account), Decimal(amount).scaleb(-MONEY), names.money)
        for account, amount in booked(moved, principal=row.principal).items()
        if amount
    ]
    return Transaction(row.day, f"Deferred for {row.currency}", row.lines, postings)


def _micro(names: Names, minor: Any) -> int:
    return int(minor) * minor_unit(names.money)


def span(zone: str, first: date | None, last: date | None) -> dict[str, Any]:
    """What `moves` asks for of these days, both included."""
    before = date(1970, 1, 1) if first is None else first - timedelta(days=1)
    beyond = date.max if last is None else last + timedelta(days=1)
    return {"zone": zone, "before": before, "beyond": beyond}
