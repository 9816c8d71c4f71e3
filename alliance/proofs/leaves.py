"""The rows that a leaf proves, read set-based; and the hash of them.

A later version may prove more columns: null is left out, so that leaves that were sealed before stay as they are. A
column whose default is no null is left out where it has its default. A table that comes to it says `since` which
version it is in the leaves, and `VERSION` grows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from alliance.proofs.canonical import SALT_SIZE, canonical, salted_hash
from alliance.proofs.lines import commitments, entry_with_lines
from domain.ledger.merkle import leaf_hash

VERSION = 5
"""Of leaves that are sealed now. An older one has all tables but those that are newer than it."""

LINES_SINCE = 3
"""Since this version each obligation is committed to on its own (see `lines`)."""

Rows = dict[str, list[str]]
"""What a leaf is written of, by member: rows in RFC 8785 JSON. Of terms: `_TERMS`."""

_TERMS = ("budget", "funding", "obligations", "prices", "promised")

_SECOND = 1000
_RANDOM_BITS = 80

_ASKED = """SELECT * FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS a (holder_id, operation_id, n)"""
# `OFFSET 0` keeps the planner from reading whole tables for what a few thousand operations wrote.
_ROWS = """asked CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {table}.holder_id = asked.holder_id
                                     AND {table}.{own} = asked.operation_id OFFSET 0) AS t"""
# Lots have no index by operation; but their ids, like those of operations, begin with the time they were made.
_LOTS = """(SELECT DISTINCT holder_id FROM asked) AS h
            CROSS JOIN LATERAL (SELECT * FROM lot WHERE lot.holder_id = h.holder_id AND lot.id BETWEEN $3 AND $4
                                  AND lot.operation_id = ANY($2)
                                OFFSET 0) AS t
            JOIN asked ON t.holder_id = asked.holder_id AND t.operation_id = asked.operation_id"""
_FUNDING = """'{' || coalesce('"agreement_version":' || t.agreement_version || ',', '')
              || '"funder_id":"' || t.funder_id || '","lot_id":"' || t.id || '","price":' || t.price || '}'"""
_PROMISED = """json_build_object('seq', t.seq, 'funder_id', t.funder_id, 'price', t.price, 'owed', t.owed,
                                   'agreement_version', t.agreement_version)::text"""
_PRICES = """json_build_object('id', t.id, 'at', t.at, 'prices', t.prices, 'cost', t.cost,
                                 'own_cost', t.own_cost)::text"""
_OTHER = """CASE WHEN t.counter_account IN ('POINTS', 'STOCK') OR t.account = 'RIGHTS' THEN t.counter_holder_id::text
            END"""


@dataclass(frozen=True, slots=True)
class Proved:
    """Rows of one table in a leaf: in which member, with which columns, in which order, since which version.

    Columns that may be null end with a question mark, and none comes first. In a `plain` table they are names, times
    and integers that every reader takes exactly: as PostgreSQL writes them is then as RFC 8785 does.
    """

    table: str
    member: str
    columns: str
    order: str = ""
    since: int = 1
    plain: bool = True
    apart: str = "NULL"

    @property
    def names(self) -> list[str]:
        """The columns, sorted."""
        return sorted(self.columns.replace("?", "").split())

    @property
    def nulls(self) -> tuple[str, ...]:
        """What PostgreSQL writes for those that are null."""
        return tuple(f',"{name[:-1]}":null' for name in self.columns.split() if name.endswith("?"))

    def statement(self, number: int) -> str:
        """The rows of operations: the place of each, which table it is of, the row as JSON, what is told apart.

        Times are in the session's time zone, UTC.
        """
        own = "id" if self.table == "operation" else "operation_id"
        order = "".join(f", t.{column}" for column in self.order.split())
        source = _LOTS if self.table == "lot" else _ROWS.format(table=self.table, own=own)
        columns = ", ".join(f"t.{column}" for column in self.names)
        return f"""(SELECT n, {number}, row_to_json(r)::text, {self.apart}
            FROM {source} CROSS JOIN LATERAL (SELECT {columns}) AS r ORDER BY n{order})"""  # noqa: S608 - our own names


OPERATION = Proved(
    "operation",
    "operation",
    "as_of booked_at channel? client_id? decisions? holder_id id kind lines? merchant_id occurred_at order_ref?"
    " reverses? store?",
    plain=False,
)
ENTRY = Proved(
    "entry",
    "entries",
    "holder_id seq account currency amount counter_holder_id counter_account balance_after",
    "holder_id seq",
    apart=_OTHER,
)
LOT = Proved(
    "lot",
    "lots",
    "holder_id id currency issuer_id granted granted_at expires_at? source_holder_id? source_lot_id? depth sliding_id?"
    " root_holder_id? root_lot_id?",
    "holder_id id",
    apart=_FUNDING,
)
ALLOCATION = Proved("allocation", "allocations", "holder_id lot_id amount", "holder_id lot_id")
OBLIGATION = Proved(
    "obligation",
    "obligations",
    "seq cycle_id kind debtor_id creditor_id currency points price? amount agreement_id agreement_version merchant_id"
    " order_ref? store? occurred_at booked_at reverses? late",
    "seq",
    plain=False,
)
RETURN = Proved("operation_return", "returns", "returned undone due whole", plain=False)
DEBT = Proved(
    "debt",
    "debts",
    "holder_id currency points source_holder_id? source_operation_id?",
    "holder_id currency",
    since=2,
)
DEBT_PAYMENT = Proved(
    "debt_payment", "debt_payments", "holder_id debt_id currency points", "holder_id debt_id currency", since=2
)
TOP_UP = Proved("top_up", "deposits", "bonus bonus_lot_id? currency holder_id paid paid_lot_id", "holder_id", since=2)
PENDING = Proved(
    "pending_grant",
    "pending",
    "currency granted granted_at holder_id issuer_id matures_at? policy seq",
    "holder_id seq",
    since=2,
    plain=False,
    apart=_PROMISED,
)
SLIDE = Proved(
    "sliding_move",
    "slides",
    "currency holder_id moved_from? moved_to sliding_id span",
    "holder_id sliding_id",
    since=4,
)
RIGHT = Proved(
    "member_right",
    "rights",
    "holder_id id grantor_id kind currency quantity valid_from expires_at? granted_at stocked",
    "holder_id id",
    since=5,
    plain=False,
    apart=_PRICES,
)
RIGHT_MOVE = Proved("right_move", "right_moves", "holder_id right_id amount booking_id?", "holder_id", since=5)
REPAIR = Proved("repair", "repairs", "accepted holder_id target_id", "holder_id", since=2)
PROVED = (
    OPERATION,
    ENTRY,
    LOT,
    ALLOCATION,
    OBLIGATION,
    RETURN,
    DEBT,
    DEBT_PAYMENT,
    TOP_UP,
    PENDING,
    REPAIR,
    SLIDE,
    RIGHT,
    RIGHT_MOVE,
)

NOT_PROVED = {
    "operation": "xid",
    "entry": "operation_id",
    "lot": "operation_id remaining held spent",
    "allocation": "operation_id",
    "obligation": "holder_id operation_id past_cap",
    "operation_return": "holder_id operation_id",
    "debt": "operation_id",
    "debt_payment": "operation_id",
    "top_up": "operation_id",
    "repair": "operation_id",
    "sliding_move": "operation_id",
    "member_right": "operation_id code_hash remaining booked cancelled expired done",
    "right_move": "operation_id cost",
    "pending_grant": "operation_id remaining activated_by done room_of",
}
"""By table: what changes, what is derived, what only says where the log goes on, and what all rows of a leaf share."""

NOT_IN_LEAVES = {
    "log_leaf": "the log itself",
    "idempotency_key": "says what a call was answered; what was posted is proved",
    "quote_use": "says that a quote is used; what was exchanged is proved",
    "order_reference": "made from the operation, which is proved",
    "operation_note": "may hold personal data",
    "order_tender": "says what paid for an order; both operations are proved",
    "extension": "says why its operation's lots, which are proved, live longer",
    "forced_exit": "says which of its operation's lots, which are proved, were sold for which",
    "pool_spend": "says who spent points of a pool; what was spent is proved",
    "device_spend": "says which device an operation, which is proved, came from",
    "adjustment": "counts what its operation, which is proved, moved",
    "subsidy_draw": "says what its operation, which is proved, drew on a budget",
    "correction": "says why its operation, which is proved, was booked",
    "late_interest": "names the line of a late payment, which is an operation and proved",
    "rerate_line": "names the corrections of a line, which are operations and proved",
    "dispute": "says what a merchant wants of a line; the line is proved",
    "objection": "says what a merchant holds of a line; the line is proved",
    "accrual_posting": "says which file an operation, which is proved, came from",
    "partner_line": "says what a partner's file holds of a line; the line is proved",
    "partner_match": "says what a partner's file holds of a line; the line is proved",
    "recon_break": "says what a partner's file holds of a line; the line is proved",
    "member_tier": "follows from the credits, which are proved; some have no operation",
}
"""Tables that name an operation and are in no leaf, and why."""

IN_TERMS = {
    "lot": "funder_id price agreement_version",
    "pending_grant": "funder_id price owed agreement_version",
    "member_right": "at prices cost own_cost",
}
"""By table: columns that are proved among the terms, because they are between merchants."""

_SINCE = {proved.member: proved.since for proved in PROVED}
# By version, sorted; `terms`, which every leaf has, comes after all of them.
_MEMBERS = {
    version: sorted({name for name, since in _SINCE.items() if since <= version}.difference(_TERMS))
    for version in range(1, VERSION + 1)
}
_TABLES = [(proved.member, proved.plain, proved.nulls) for proved in PROVED]
_STATEMENT = f"WITH asked AS MATERIALIZED ({_ASKED}) " + " UNION ALL ".join(
    proved.statement(number) for number, proved in enumerate(PROVED)
)


async def read(connection: asyncpg.Connection, operations: Sequence[tuple[UUID, UUID]]) -> Iterator[Rows | None]:
    """The rows of these operations (holder, id), None for one that is not there. One statement, two if gifts are among
    them: rows of another member, who was given points, belong to the operation that names them.
    """
    found, named = await _fetch(connection, operations, *_made_with([id_ for _, id_ in operations]))
    if paused := [n for n, rows in enumerate(found) if rows.keys() == _GRANTS_NOTHING]:
        again, _ = await _fetch(connection, [operations[n] for n in paused], _FIRST, _LAST)
        for n, rows in zip(paused, again, strict=True):
            found[n] = rows
    others = sorted({(n, other) for n, other in named if other != operations[n][0]})
    if others:
        ids = [operations[n][1] for n, _ in others]
        theirs, _ = await _fetch(connection, [(other, operations[n][1]) for n, other in others], *_made_with(ids))
        parties: dict[int, list[tuple[UUID, Rows]]] = {}
        for (n, other), rows in zip(others, theirs, strict=True):
            parties.setdefault(n, [(operations[n][0], found[n])]).append((other, rows))
        for n, all_ in parties.items():
            found[n] = _together(all_)
    return (rows if OPERATION.member in rows else None for rows in found)


async def obligations(connection: asyncpg.Connection, operations: Sequence[tuple[UUID, UUID]]) -> list[list[str]]:
    """What each of these operations made owed, in RFC 8785 JSON, as its leaf has it; also of one that is archived."""
    found, _ = await _fetch(connection, operations, *_made_with([id_ for _, id_ in operations]))
    return [rows.get(OBLIGATION.member, []) for rows in found]


def _together(parties: list[tuple[UUID, Rows]]) -> Rows:
    """The rows of all members that an operation is about: entries of its holder first, all else by holder."""
    joined: Rows = {}
    for member in dict.fromkeys(member for _, rows in parties for member in rows):
        order = parties if member == ENTRY.member else sorted(parties, key=itemgetter(0))
        joined[member] = [row for _, rows in order for row in rows.get(member, ())]
    return joined


async def _fetch(
    connection: asyncpg.Connection, operations: Sequence[tuple[UUID, UUID]], first: UUID, last: UUID
) -> tuple[list[Rows], list[tuple[int, UUID]]]:
    """The rows of each operation, of lots those with ids between the bounds; and whom their entries name."""
    holders = [holder_id for holder_id, _ in operations]
    ids = [id_ for _, id_ in operations]
    found: list[Rows] = [{} for _ in operations]
    named = []
    for n, number, json, apart in await connection.fetch(_STATEMENT, holders, ids, first, last):
        member, plain, nulls = _TABLES[number]
        if plain:
            for null in nulls:
                json = json.replace(null, "")
        else:
            json = canonical(_without_nulls(orjson.loads(json), deep='": null' in json)).decode()
        rows = found[n - 1]
        if number == _ENTRY and _BUDGET in json:
            member = "budget"
        rows.setdefault(member, []).append(json)
        if number == _LOT:
            rows.setdefault("funding", []).append(apart)
        elif number in _APART:
            told = canonical(_without_nulls(orjson.loads(apart), deep=True)).decode()
            rows.setdefault(_APART[number], []).append(told)
        elif apart is not None:
            named.append((n - 1, UUID(apart)))
    return found, named


_LOT, _ENTRY = PROVED.index(LOT), PROVED.index(ENTRY)
_APART = {PROVED.index(PENDING): "promised", PROVED.index(RIGHT): "prices"}
# What a right costs its grantor is between merchants, as prices are.
_BUDGET = '"account":"BUDGET"'
# An operation that moves points without touching a lot is none; its process was stopped before it made its lots.
_GRANTS_NOTHING = {"operation", "entries"}
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


def _made_with(operations: Sequence[UUID]) -> tuple[UUID, UUID]:
    """Bounds of the ids that were made within a second of these (UUIDv7: the first 48 bits are milliseconds)."""
    first = max((min(operations).int >> _RANDOM_BITS) - _SECOND, 0)
    last = min((max(operations).int >> _RANDOM_BITS) + _SECOND, (1 << 48) - 1)
    return UUID(int=first << _RANDOM_BITS), UUID(int=((last + 1) << _RANDOM_BITS) - 1)


def _without_nulls(value: Any, *, deep: bool) -> Any:
    """A value without members that are null; in lists they stay."""
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if part is not None}
        return {name: _without_nulls(part, deep=True) for name, part in value.items()} if deep else value
    return [_without_nulls(part, deep=True) for part in value] if isinstance(value, list) else value


def written(rows: Rows, salt: bytes, version: int = VERSION) -> tuple[bytes, bytes]:
    """The data of a leaf, which hold the hash of its terms, and the terms; both in RFC 8785 JSON.

    The halves of `salt` are the leaf's and its terms'.
    """
    terms = f"{{{','.join([_list(name, rows[name]) for name in _TERMS if name in rows])}}}".encode()
    members = [
        _list(name, own) if name != OPERATION.member else f'"{name}":{own[0]}'
        for name in _MEMBERS[version]
        if (own := rows.get(name)) is not None
    ]
    members.append(f'"terms":"{salted_hash(salt[SALT_SIZE:], terms).hex()}"')
    return f"{{{','.join(members)}}}".encode(), terms


def _list(name: str, rows: Sequence[str]) -> str:
    return f'"{name}":[{",".join(rows)}]'


def entry_and_rest(rows: Rows, salt: bytes, version: int = VERSION) -> tuple[bytes, bytes | None]:
    """The 32 bytes that enter the tree as a leaf; and, where lines enter it too, the hash of the rest.

    That rest is kept with the leaf: with it a line is proved although nothing else of the operation is read.
    """
    rest = salted_hash(salt[:SALT_SIZE], written(rows, salt, version)[0])
    owed = rows.get(OBLIGATION.member)
    if owed is None or version < LINES_SINCE:
        return rest, None
    return entry_with_lines(rest, commitments([orjson.loads(row) for row in owed], salt[SALT_SIZE:])), rest


def entry_of(rows: Rows, salt: bytes, version: int = VERSION) -> bytes:
    """The 32 bytes that enter the tree as a leaf."""
    return entry_and_rest(rows, salt, version)[0]


def version_of(rows: Rows, salt: bytes, hashed: bytes) -> int | None:
    """By which version these rows make a leaf of this hash; None if they are not what was sealed."""
    versions = {_SINCE[name] - 1 for name in rows if name not in _TERMS} - {0} | {VERSION}
    if OBLIGATION.member in rows:
        versions.add(LINES_SINCE - 1)
    found = (v for v in sorted(versions, reverse=True) if leaf_hash(entry_of(rows, salt, v)) == hashed)
    return next(found, None)
