"""Obligations as riders of a posting: written in the operation's transaction, into the cycle that is open then."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg

from alliance.agreements.book import AgreementBook
from alliance.clearing.model import Obligation, ObligationKind
from alliance.clearing.rules import Owed, divided, issuer_bears, owed_json, reversed_obligations
from alliance.exposure.positions import matured, owe, set_aside
from alliance.settlement.model import CYCLE_LOCK
from alliance.subsidies.riders import DRAWS, give_back
from domain.base import new_id
from domain.errors import Refusal
from domain.ledger.model import AccountKind
from domain.ledger.request import Books, Effect, Needs

_OBLIGATION: Any = Obligation.__table__
_ANY = datetime(1970, 1, 1, tzinfo=UTC)


class OpenCycle(NamedTuple):
    """The open cycle, the merchants whose positions are kept against a cap, and those frozen; a dry run has none."""

    id: uuid.UUID | None = None
    capped: frozenset[uuid.UUID] = frozenset()
    frozen: frozenset[uuid.UUID] = frozenset()


_NONE = OpenCycle()


@dataclass(slots=True, eq=False)
class _OpenCycle:
    """The open cycle. Its keys are the requests' clocks: the very first cycle opens at the earliest.

    Who is capped or frozen changes with the revision alone, under an exclusive lock: so it is read once a revision.
    """

    shared_lock: tuple[int, int] | None = CYCLE_LOCK
    _revision: tuple[uuid.UUID, int] | None = None
    _capped: frozenset[uuid.UUID] = frozenset()
    _frozen: frozenset[uuid.UUID] = frozenset()

    async def load(self, connection: asyncpg.Connection, keys: Sequence[datetime]) -> dict[datetime, OpenCycle]:
        row = await connection.fetchrow(_FIND_OPEN)
        if row is None:
            await connection.execute(
                """INSERT INTO settlement_cycle (id, number, status, opens_at) VALUES ($1, 1, 'OPEN', $2)
                   ON CONFLICT DO NOTHING""",
                new_id(),
                min(keys),
            )
            row = await connection.fetchrow(_FIND_OPEN)
        cycle_id, *revision = row
        if self._revision != (revision := tuple(revision)):
            capped, frozen = await connection.fetchrow(_FIND_MERCHANTS)
            self._capped, self._frozen, self._revision = frozenset(capped), frozenset(frozen), revision
        return dict.fromkeys(keys, OpenCycle(cycle_id, self._capped, self._frozen))


_FIND_OPEN = """SELECT c.id, a.id AS alliance_id, a.revision
                FROM settlement_cycle c LEFT JOIN alliance a ON true WHERE c.status = 'OPEN' AND c.closes_at IS NULL"""
_FIND_MERCHANTS = """SELECT ARRAY(SELECT merchant_id FROM exposure),
                            ARRAY(SELECT id FROM merchant WHERE frozen_since IS NOT NULL)"""


@dataclass(slots=True)
class Past:
    """What an operation made owed for one currency, and how it went on: of its `points`, `due` were asked back and
    `recovered` were.

    What is owed by a wallet has not been recovered. `place` is where the operation was.
    """

    points: int
    due: int
    recovered: int
    place: dict[str, Any]
    lines: list[Owed] = field(default_factory=list)

    def back(self, book: AgreementBook, due: int, recovered: int) -> tuple[Owed, ...]:
        """The negative of its lines for so much more.

        A funder is credited for what is recovered, as it is; where the issuer bears the shortfall, for all that is due.
        """
        bears = issuer_bears(book, self.lines)
        before, more = (self.due, due) if bears else (self.recovered, recovered)
        self.due, self.recovered = self.due + due, self.recovered + recovered
        return reversed_obligations(self.lines, before, before + more, self.points) if self.points else ()

    def whole_back(self) -> tuple[Owed, ...]:
        """The negative of all its lines."""
        return reversed_obligations(self.lines, 0, 1, 1)


class _PastObligations:
    """What operations made owed, by (holder, operation), then by currency; nothing for those that made nothing owed."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], dict[str, Past]]:
        columns = [[holder_id for holder_id, _ in keys], [operation_id for _, operation_id in keys]]
        lines = await connection.fetch(
            """SELECT asked.holder_id, asked.operation_id, kind, debtor_id, creditor_id, currency, points, price,
                      amount, agreement_id, agreement_version
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN LATERAL (
                 SELECT o.* FROM obligation o
                 WHERE o.holder_id = asked.holder_id AND (o.operation_id = asked.operation_id OR o.operation_id IN (
                   SELECT p.activated_by FROM pending_grant p
                   WHERE p.holder_id = asked.holder_id AND p.operation_id = asked.operation_id))
                   AND o.reverses IS NULL AND o.kind NOT IN ('FUNDING', 'BREAKAGE')
               ) o ON true ORDER BY o.operation_id, o.seq""",
            *columns,
        )
        if not lines:
            return {}
        found: dict[tuple[uuid.UUID, uuid.UUID], dict[str, Past]] = {}
        for row in await _pasts(connection, sorted({(line[0], line[1], line["currency"]) for line in lines})):
            past = Past(row["points"], row["due"], row["recovered"], row["place"])
            found.setdefault((row["holder_id"], row["id"]), {})[row["currency"]] = past
        for holder_id, operation_id, kind, *rest in lines:
            owed = Owed(ObligationKind(kind), *rest)
            found[holder_id, operation_id][owed.currency].lines.append(owed)
        return found


async def _pasts(
    connection: asyncpg.Connection, asked: Sequence[tuple[uuid.UUID, uuid.UUID, str]]
) -> list[asyncpg.Record]:
    """Of each (holder, operation, currency): points, those asked back, those recovered; and where it was."""
    rows: list[asyncpg.Record] = await connection.fetch(
        """SELECT o.holder_id, o.id, asked.currency,
                  (CASE WHEN o.kind = 'EARN' THEN active.points ELSE moved.points END)::bigint AS points,
                  (coalesce(back.due, 0) - coalesce(back.dropped, 0))::bigint AS due,
                  (coalesce(back.moved, 0) - coalesce(back.owed, 0))::bigint AS recovered,
                  jsonb_build_object('merchant_id', o.merchant_id, 'order_ref', o.order_ref, 'store', o.store) AS place
           FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked (holder_id, id, currency)
           JOIN operation o USING (holder_id, id)
           CROSS JOIN LATERAL (
             SELECT coalesce(abs(sum(amount)), 0) AS points FROM entry
             WHERE holder_id = o.holder_id AND operation_id = o.id AND currency = asked.currency) AS moved
           CROSS JOIN LATERAL (
             SELECT coalesce(sum(granted), 0) AS points FROM lot
             WHERE lot.holder_id = o.holder_id AND lot.currency = asked.currency AND (lot.operation_id = o.id
                   OR lot.operation_id IN (SELECT p.activated_by FROM pending_grant p
                                           WHERE p.holder_id = o.holder_id AND p.operation_id = o.id))) AS active
           LEFT JOIN LATERAL (
             SELECT sum(coalesce((t.returned #>> ARRAY['beside', asked.currency, '1'])::bigint, t.due)) AS due,
                    sum(e.moved) AS moved, sum(e.dropped) AS dropped, sum(d.points) AS owed
             FROM operation r
             LEFT JOIN operation_return t ON t.holder_id = r.holder_id AND t.operation_id = r.id
             LEFT JOIN LATERAL (SELECT abs(sum(amount) FILTER (WHERE account = 'POINTS')) AS moved,
                                       abs(sum(amount) FILTER (WHERE account = 'PENDING')) AS dropped
                                FROM entry WHERE holder_id = r.holder_id AND operation_id = r.id
                                  AND currency = asked.currency
                                  AND counter_account NOT IN ('EXIT', 'POINTS')) e ON true
             LEFT JOIN LATERAL (
               SELECT sum(d.points - coalesce(p.points, 0)) AS points FROM debt d
               LEFT JOIN LATERAL (SELECT sum(points) AS points FROM debt_payment
                                  WHERE holder_id = d.holder_id AND debt_id = d.operation_id
                                    AND currency = d.currency) p ON true
               WHERE d.currency = asked.currency AND (d.holder_id = r.holder_id AND d.operation_id = r.id
                     OR d.source_holder_id = r.holder_id AND d.source_operation_id = r.id)) d ON true
             WHERE r.holder_id = o.holder_id AND r.reverses = o.id) back ON true""",
        *(list(column) for column in zip(*asked, strict=True)),
    )
    return rows


OPEN_CYCLE = _OpenCycle()
PAST_OBLIGATIONS = _PastObligations()


@dataclass(frozen=True, slots=True)
class Owing:
    """Rides on an earn, a redemption or an exchange: writes what it makes owed.

    Without `as_of` it rides on a dry run: so does each of those that follow.
    """

    lines: tuple[Owed, ...]
    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        _need_cycle(needs, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line."""
        write(effect, self.lines, _cycle(books, self.as_of))


@dataclass(frozen=True, slots=True)
class OwingDecided:
    """Rides on a redemption whose points are decided with it: `owed` says what so many of them make owed."""

    owed: Callable[..., tuple[Owed, ...]]
    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        _need_cycle(needs, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line. Raises InvalidInput for a sum that is too large."""
        write(effect, self.owed(points=effect.points), _cycle(books, self.as_of))


@dataclass(frozen=True, slots=True)
class OwingEarned:
    """Rides on an earn in parts: `owed` says what so many points make owed; what waits keeps its share (A1)."""

    owed: Callable[..., tuple[Owed, ...]]
    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        _need_cycle(needs, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line for what is active; the lines of what waits lie with it."""
        if not effect.points:
            return
        currency = effect.entries[0].currency
        waiting = [state for state in effect.pending if state.currency == currency]
        active = sum(lot.granted for lot in effect.lots if lot.currency == currency)
        weights = [active, *(state.granted for state in waiting)]
        now, *later = divided(self.owed(points=effect.points), weights)
        cycle = _cycle(books, self.as_of)
        write(effect, now, cycle)
        for state, lines in zip(waiting, later, strict=True):
            state.owed = owed_json(lines) or None
        set_aside(effect, [(state, 0, state.remaining) for state in waiting], cycle.capped)


@dataclass(frozen=True, slots=True)
class OwingMatured:
    """Rides on an activation: what its points make owed is owed from now, at the version of the earn (A1)."""

    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        _need_cycle(needs, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line."""
        cycle = _cycle(books, self.as_of)
        lines = matured(effect)
        write(effect, lines, cycle)
        _unreserve(effect, cycle)
        if lines and (pasts := books.others.get(PAST_OBLIGATIONS)) is not None:
            earn = (effect.holder_id, effect.matured[0][0].operation_id)
            place = {name: effect.operation[name] for name in ("merchant_id", "order_ref", "store")}
            for line in lines:
                pasts.setdefault(earn, {}).setdefault(line.currency, Past(0, 0, 0, place)).lines.append(line)
            for currency in dict.fromkeys(line.currency for line in lines):
                points = sum(-taken for state, taken in effect.matured if state.currency == currency)
                pasts[earn][currency].points += points


@dataclass(frozen=True, slots=True)
class OwingBack:
    """Rides on a reversal: negative lines in the open cycle, at the original's version and price (A1, A7)."""

    holder_id: uuid.UUID
    operation_id: uuid.UUID
    as_of: datetime | None
    book: AgreementBook

    def needs(self, needs: Needs) -> None:
        """The open cycle, and what the original made owed."""
        _need_cycle(needs, self.as_of)
        needs.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """As much as the points that moved: all returns sum to the whole, where all of it is recovered."""
        cycle = _cycle(books, self.as_of)
        _unreserve(effect, cycle)
        pasts: dict[str, Past] = books.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id)) or {}
        for currency, past in pasts.items():
            moved, dropped = effect.moved(currency), effect.moved(currency, AccountKind.PENDING)
            recovered = moved - sum(debt.left for debt in effect.owes if debt.currency == currency)
            due = moved if effect.returned is None else effect.returned.figures(currency)[1] - dropped
            write(effect, past.back(self.book, due, recovered), cycle)


@dataclass(frozen=True, slots=True)
class Crediting:
    """Hears what is recovered of reversed earns later, and credits their funders (A1); `book` is the one in force."""

    book: Callable[[], AgreementBook]

    async def load(
        self, connection: asyncpg.Connection, books: Books, earns: Collection[tuple[uuid.UUID, uuid.UUID]]
    ) -> None:
        """What these earns made owed, and the open cycle, held open from now on: nobody who closes it waits for us."""
        known = books.others.setdefault(PAST_OBLIGATIONS, {})
        missing = [key for key in earns if key not in known]
        known |= await PAST_OBLIGATIONS.load(connection, missing) if missing else {}
        if missing and self.book().subsidised:
            drawn = books.others.setdefault(DRAWS, {})
            drawn |= await DRAWS.load(connection, [key for key in missing if key not in drawn])
        if known:
            await hold_cycle_open(connection, books)

    def ride(self, books: Books, effect: Effect, earn: tuple[uuid.UUID, uuid.UUID], currency: str, points: int) -> None:
        """Lines that name the earn, at its version and price, in its place."""
        give_back(books, effect, earn, currency, points)
        pasts: dict[str, Past] = books.other(PAST_OBLIGATIONS, earn) or {}
        if (past := pasts.get(currency)) is None:
            return
        write(effect, past.back(self.book(), 0, points), any_cycle(books), {"reverses": earn[1], **past.place})


def _need_cycle(needs: Needs, as_of: datetime | None) -> None:
    if as_of is not None:
        needs.other(OPEN_CYCLE, as_of)


def _cycle(books: Books, as_of: datetime | None) -> OpenCycle:
    """The open cycle, by the clock that it was asked for with; a dry run has none."""
    found: OpenCycle = _NONE if as_of is None else books.other(OPEN_CYCLE, as_of)
    return found


def any_cycle(books: Books) -> OpenCycle:
    """The open cycle, which somebody asked for."""
    return next(iter(books.others.get(OPEN_CYCLE, {}).values()), _NONE)


async def hold_cycle_open(connection: asyncpg.Connection, books: Books) -> None:
    """Load the open cycle, if nobody did, and hold it open until the batch is written."""
    if OPEN_CYCLE not in books.others and not books.simulated:
        await connection.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", *CYCLE_LOCK)
        books.others[OPEN_CYCLE] = dict(await OPEN_CYCLE.load(connection, [_ANY]))


@dataclass(frozen=True, slots=True)
class Refusing:
    """Rides on what no agreement allows: so that the refusal is remembered with the key, as a rule's no is."""

    refusal: Refusal

    def needs(self, needs: Needs) -> None:
        """Nothing."""

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises the refusal."""
        raise self.refusal


def _unreserve(effect: Effect, cycle: OpenCycle) -> None:
    """What of its grants no longer waits is not reserved any more."""
    changed = [(state, state.remaining, state.remaining + less) for state, less in effect.matured]
    set_aside(effect, changed, cycle.capped)


def write(effect: Effect, lines: Sequence[Owed], cycle: OpenCycle, other: Mapping[str, Any] | None = None) -> None:
    """One row a line, and the positions that follow; `other` are columns that are not the operation's."""
    if cycle.capped:
        owe(effect, lines, cycle.capped, cycle.frozen)
    operation = effect.operation
    first = sum(table is _OBLIGATION for table, _ in effect.rows)
    for seq, line in enumerate(lines, first):
        row = {
            "holder_id": operation["holder_id"],
            "operation_id": operation["id"],
            "seq": seq,
            "cycle_id": cycle.id,
            "kind": line.kind.value,
            "debtor_id": line.debtor_id,
            "creditor_id": line.creditor_id,
            "currency": line.currency,
            "points": line.points,
            "price": line.price,
            "amount": line.amount,
            "agreement_id": line.agreement_id,
            "agreement_version": line.agreement_version,
            "merchant_id": operation["merchant_id"],
            "order_ref": operation["order_ref"],
            "store": operation["store"],
            "occurred_at": operation["occurred_at"],
            "reverses": operation["reverses"],
            "late": line.late,
            "past_cap": False,
        }
        effect.rows.append((_OBLIGATION, row | dict(other or {})))
