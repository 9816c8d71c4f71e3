"""The rows that a leaf proves, read set-based; and the hash of them.

A later version may prove more columns: null is left out, so that leaves that were sealed before stay as they are. A
column whose default is no null is left out where it has its default.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import rfc8785

from domain.money import MAX_INTEGER

SALT_SIZE = 16

Leaf = tuple[dict[str, Any], dict[str, Any]]
"""The data of a leaf, and its terms."""

Party = tuple[int, UUID, UUID]
"""The place of an operation among those asked for, a holder whose rows belong to it, its id."""

_ASKED = "SELECT * FROM unnest($1::int[], $2::uuid[], $3::uuid[]) AS a (n, holder_id, operation_id)"
_LOTS = "(SELECT * FROM (SELECT DISTINCT holder_id FROM asked) AS h JOIN lot USING (holder_id))"


@dataclass(frozen=True, slots=True)
class Proved:
    """Rows of one table in a leaf: in which member, with which columns, in which order."""

    table: str
    member: str
    columns: str
    order: str = ""

    def statement(self) -> str:
        """The rows of operations: the place of each, the row as JSON without what is null, the member it names.

        Times are in the session's time zone, UTC.
        """
        pairs = ", ".join(f"'{column}', t.{column}" for column in self.columns.split())
        named = "CASE counter_account WHEN 'POINTS' THEN counter_holder_id END" if self.table == "entry" else "NULL"
        own = "id" if self.table == "operation" else "operation_id"
        order = "".join(f", t.{column}" for column in self.order.split())
        # Lots have no index by operation: those of a holder are read once, whatever operations made them.
        source = _LOTS if self.table == "lot" else self.table
        return f"""WITH asked AS MATERIALIZED ({_ASKED})
            SELECT n, json_strip_nulls(json_build_object({pairs}))::text, {named}
            FROM {source} AS t JOIN asked ON t.holder_id = asked.holder_id AND t.{own} = asked.operation_id
            ORDER BY n{order}"""  # noqa: S608 - nothing but our own names is formatted in


OPERATION = Proved(
    "operation",
    "operation",
    "holder_id id kind merchant_id client_id store channel order_ref occurred_at as_of booked_at reverses decisions"
    " lines",
)
ENTRY = Proved(
    "entry",
    "entries",
    "holder_id seq account currency amount counter_holder_id counter_account balance_after",
    "holder_id seq",
)
LOT = Proved(
    "lot",
    "lots",
    "holder_id id currency issuer_id granted granted_at expires_at source_holder_id source_lot_id depth"
    " funder_id price",
    "holder_id id",
)
ALLOCATION = Proved("allocation", "allocations", "holder_id lot_id amount", "holder_id lot_id")
OBLIGATION = Proved(
    "obligation",
    "obligations",
    "seq cycle_id kind debtor_id creditor_id currency points price amount agreement_id agreement_version merchant_id"
    " order_ref store occurred_at booked_at reverses late",
    "seq",
)
RETURN = Proved("operation_return", "returns", "returned undone due whole")
PROVED = (OPERATION, ENTRY, LOT, ALLOCATION, OBLIGATION, RETURN)

FUNDING = ("funder_id", "price")
"""Who paid for a lot, and how much: between merchants."""

NOT_PROVED = {
    "operation": "xid",
    "entry": "operation_id",
    "lot": "operation_id remaining held spent",
    "allocation": "operation_id",
    "obligation": "holder_id operation_id",
    "operation_return": "holder_id operation_id",
}
"""By table: what changes, what is derived, what only says where the log goes on, and what all rows of a leaf share."""


async def read(connection: asyncpg.Connection, operations: Sequence[tuple[UUID, UUID]]) -> Iterator[Leaf | None]:
    """The leaves of these operations (holder, id), None for one that is not there. A statement a table.

    Each leaf is made when it is asked for: thousands at once would keep the garbage collector busy. Rows of another
    member, who was given points, belong to the operation that names them.
    """
    parties: list[Party] = [(n, holder_id, id_) for n, (holder_id, id_) in enumerate(operations)]
    found = {OPERATION: await _rows(connection, OPERATION, parties)}
    entries = await _rows(connection, ENTRY, parties)
    named = {(n, other, parties[n][2]) for n, _, other in entries if other is not None}
    if others := sorted(named.difference(parties)):
        parties += others
        entries = [*entries, *await _rows(connection, ENTRY, others)]
    found[ENTRY] = entries
    for proved in (LOT, ALLOCATION, OBLIGATION, RETURN):
        found[proved] = await _rows(connection, proved, parties)
    return _assemble(len(operations), found)


async def _rows(connection: asyncpg.Connection, proved: Proved, parties: Sequence[Party]) -> Sequence[Any]:
    rows: Sequence[Any] = await connection.fetch(_STATEMENTS[proved.table], *map(list, zip(*parties, strict=True)))
    return rows


_STATEMENTS = {proved.table: proved.statement() for proved in PROVED}


def _assemble(count: int, found: Mapping[Proved, Sequence[Any]]) -> Iterator[Leaf | None]:
    """The rows of all tables as one leaf for each operation."""
    members: list[dict[str, list[str]]] = [{} for _ in range(count)]
    for proved, rows in found.items():
        name = proved.member
        for n, json, _ in rows:
            members[n].setdefault(name, []).append(json)
    return (_leaf(own) if OPERATION.member in own else None for own in members)


def _leaf(members: Mapping[str, Sequence[str]]) -> Leaf:
    """A leaf from its rows; prices, funding and obligations are its terms."""
    lists = ",".join(f'"{name}":[{",".join(rows)}]' for name, rows in members.items())
    data: dict[str, Any] = orjson.loads(f"{{{lists}}}")
    [data["operation"]] = data["operation"]
    terms = {"obligations": data.pop("obligations")} if "obligations" in data else {}
    if "lots" in data:
        terms["funding"] = [{"lot_id": lot["id"], **{name: lot.pop(name) for name in FUNDING}} for lot in data["lots"]]
    return data, terms


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonical(value: dict[str, Any]) -> bytes:
    """RFC 8785 JSON; integers that not every reader takes exactly (beyond 2^53-1) become strings.

    orjson writes the same as rfc8785 (a test compares them) twenty times faster, as long as names are ASCII and no
    number has a fraction: the ledger has neither.
    """
    try:
        return orjson.dumps(value, option=_CANONICAL)
    except orjson.JSONEncodeError:
        return rfc8785.dumps(_exact(value))


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_exact(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return str(value)
    return value


def entry_of(leaf: Leaf, salt: bytes) -> bytes:
    """The 32 bytes that enter the tree as a leaf: the salted hash of its data, which holds that of its terms.

    The data get their member `terms`. The halves of `salt` are the leaf's and its terms'.
    """
    data, terms = leaf
    data["terms"] = salted_hash(salt[SALT_SIZE:], canonical(terms)).hex()
    return salted_hash(salt[:SALT_SIZE], canonical(data))


def salted_hash(salt: bytes, content: bytes) -> bytes:
    """SHA-256 of the salt and what follows it."""
    return sha256(salt + content).digest()
