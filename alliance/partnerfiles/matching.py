"""The passes of a match (A11), set-based, over temporary tables that the caller's connection keeps.

`theirs` are the lines of the file, `ours` the obligations of its period, numbered. `found` pairs a line of theirs with
one of ours: those that match and those that differ; `grouped` are several of one side against one of the other. A line
enters `settled_theirs` or `settled_ours` once, with its outcome, and no later pass looks at it again.
"""
# ruff: noqa: S608 (statements are made of our own names)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from alliance.partnerfiles.shape import Shape

REFERENCE = r"^[0-9a-f]{24}-\d{1,4}$"
"""What a key looks like that is a statement's own: the operation's pseudonym and the line's number."""

CREATE = """
CREATE TEMP TABLE theirs (
    line_no bigint, key text, order_ref text, day date, amount bigint, points bigint, kind text, other_id uuid);
CREATE TEMP TABLE ours (
    n int GENERATED ALWAYS AS IDENTITY, holder_id uuid, operation_id uuid, seq smallint, cycle_id uuid, other_id uuid,
    order_ref text, day date, amount bigint, points bigint, kind text, ref text);
CREATE TEMP TABLE near (LIKE ours INCLUDING IDENTITY);
CREATE TEMP TABLE found (line_no bigint, n int, pass smallint, outcome text);
CREATE TEMP TABLE grouped (line_no bigint, n int, pass smallint, outcome text);
CREATE TEMP TABLE settled_theirs (line_no bigint, outcome text, pass smallint, near int);
CREATE TEMP TABLE settled_ours (n int, outcome text);
CREATE TEMP TABLE left_theirs (LIKE theirs);
CREATE TEMP TABLE left_ours (LIKE ours);
CREATE TEMP TABLE closing (id uuid, n int);
"""

COLUMNS = ("line_no", "key", "order_ref", "day", "amount", "points", "kind", "other_id")
"""Of `theirs`."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whose lines are compared: those of `cycles` between a merchant and all others, or one; booked between two
    instants if they are those of a day. `keys` are the two halves of each pair's key of pseudonyms, by the other."""

    merchant_id: UUID
    other_id: UUID | None
    cycles: Sequence[UUID]
    since: datetime | None
    before: datetime | None
    zone: str
    keys: Mapping[UUID, tuple[bytes, bytes]]


# An order's reference is known to the merchant where it was placed, and to no other (A14): it matches for that one
# alone. A reference of a statement is made as `alliance.statements.rules.Pseudonyms` makes it: HMAC-SHA-256 under the
# pair's key, of which the database gets the padded halves.
_SELECT = """
INSERT INTO {into} (holder_id, operation_id, seq, cycle_id, other_id, order_ref, day, amount, points, kind, ref)
SELECT o.holder_id, o.operation_id, o.seq, o.cycle_id, o.other_id,
       CASE WHEN o.merchant_id = $1 THEN o.order_ref END,
       (o.{dated} AT TIME ZONE $5)::date, o.signed, o.points, o.kind, {ref}
FROM (SELECT l.*, l.creditor_id AS other_id, -l.amount AS signed FROM obligation l
      WHERE l.cycle_id = ANY($2) AND l.debtor_id = $1
      UNION ALL
      SELECT l.*, l.debtor_id AS other_id, l.amount AS signed FROM obligation l
      WHERE l.cycle_id = ANY($2) AND l.creditor_id = $1) AS o
{keys}
WHERE ($3::uuid IS NULL OR o.other_id = $3)
  AND ($4::timestamptz[] IS NULL OR (o.booked_at >= $4[1] AND o.booked_at < $4[2]) = {within})
  {wanted}
"""
# Of the periods around only what is looked for: by order where it was placed here, or by reference.
_WANTED = """AND (o.merchant_id = $1 AND o.order_ref IN (SELECT order_ref FROM left_theirs) {or_named})"""
_REF = """encode(substring(sha256(k.outer_key || sha256(k.inner_key || 'line'::bytea || uuid_send(o.operation_id)))
       FROM 1 FOR 12), 'hex') || '-' || o.seq"""
_KEYS = """JOIN (SELECT * FROM unnest($6::uuid[], $7::bytea[], $8::bytea[]) AS k (id, inner_key, outer_key)) AS k
    ON k.id = o.other_id"""


async def take_ours(
    connection: asyncpg.Connection, into: str, period: Period, shape: Shape, *, within: bool = True
) -> None:
    """Lines of ours: those of the period, or those of its cycles outside of its day. References only if any of theirs
    is one: they take longer than all the rest."""
    named = await connection.fetchval("SELECT EXISTS (SELECT FROM theirs WHERE key ~ $1)", REFERENCE)
    span = None if period.since is None else [period.since, period.before]
    arguments: list[Any] = [period.merchant_id, list(period.cycles), period.other_id, span, period.zone]
    if named:
        arguments += [list(period.keys), [inner for inner, _ in period.keys.values()]]
        arguments.append([outer for _, outer in period.keys.values()])
    await connection.execute(
        _SELECT.format(
            into=into,
            dated="booked_at" if shape.by_booking else "occurred_at",
            ref=_REF if named else "NULL",
            keys=_KEYS if named else "",
            within="true" if within else "false",
            wanted=""
            if within
            else _WANTED.format(or_named=f"OR {_REF} IN (SELECT key FROM left_theirs)" if named else ""),
        ),
        *arguments,
    )
    await connection.execute(f"ANALYZE {into}")


async def set_aside(
    connection: asyncpg.Connection, earlier: Sequence[UUID], beside: Sequence[UUID], taken: Sequence[tuple[UUID, int]]
) -> None:
    """Lines whose key came before: in this file, in an `earlier` one of the period, or as timing in one `beside` it.
    And those of ours that an earlier file's timing line had `taken`."""
    await connection.execute("""
        INSERT INTO settled_theirs (line_no, outcome)
        SELECT t.line_no, 'DUPLICATE' FROM theirs t
        JOIN (SELECT key, min(line_no) AS first FROM theirs WHERE key IS NOT NULL GROUP BY key
              HAVING count(*) > 1) AS twice ON twice.key = t.key AND t.line_no > twice.first""")
    if earlier or beside:
        await connection.execute(
            """INSERT INTO settled_theirs (line_no, outcome)
               SELECT t.line_no, 'DUPLICATE' FROM theirs t
               WHERE t.key IS NOT NULL AND NOT EXISTS (SELECT FROM settled_theirs s WHERE s.line_no = t.line_no)
                 AND EXISTS (SELECT FROM partner_line p WHERE p.key = t.key
                             AND (p.file_id = ANY($1) AND p.outcome <> 'DUPLICATE'
                                  OR p.file_id = ANY($2) AND p.outcome = 'TIMING'))""",
            list(earlier),
            list(beside),
        )
    if taken:
        await connection.execute(
            """INSERT INTO settled_ours SELECT o.n, 'TIMING' FROM ours o
               JOIN unnest($1::uuid[], $2::smallint[]) AS t (operation_id, seq) USING (operation_id, seq)""",
            [operation_id for operation_id, _ in taken],
            [seq for _, seq in taken],
        )


@dataclass(frozen=True, slots=True)
class By:
    """What a file says of its lines, and so what they are grouped by; and within which bounds they match."""

    kind: bool
    other: bool
    day: bool
    amount: int
    days: int

    @property
    def same(self) -> str:
        """t and o agree in all that the file says beside the order."""
        said = [f"t.{name} = o.{name}" for name, used in (("kind", self.kind), ("other_id", self.other)) if used]
        return " AND ".join(["true", *said])

    def group(self, alias: str) -> str:
        """What lines of one order have in common."""
        names = [name for name, used in (("kind", self.kind), ("other_id", self.other)) if used]
        return ", ".join(f"{alias}.{name}" for name in ["order_ref", *names])

    @property
    def outcome(self) -> str:
        """What a line of theirs and one of ours come to that belong together."""
        return f"""CASE WHEN abs(t.amount - o.amount) <= {self.amount} THEN 'MATCHED'
            WHEN abs(t.points) = abs(o.points) AND t.points <> 0 THEN 'PRICE_DIFFERS' ELSE 'AMOUNT_DIFFERS' END"""


async def run_passes(connection: asyncpg.Connection, by: By) -> None:
    """All passes within the period, each over what those before it left."""
    # (1) The key: a statement's own reference.
    await _settle(
        connection,
        f"""SELECT t.line_no, o.n, 1, {by.outcome} FROM theirs t JOIN ours o ON o.ref = t.key
            WHERE NOT EXISTS (SELECT FROM settled_theirs s WHERE s.line_no = t.line_no)
              AND NOT EXISTS (SELECT FROM settled_ours s WHERE s.n = o.n)""",
    )
    await _keep_left(connection)
    if not await _both_left(connection):
        return
    # ... or the order, where each side has one line of it.
    one = "SELECT {0}, min({1}) AS only FROM {2} x WHERE order_ref IS NOT NULL GROUP BY {0} HAVING count(*) = 1"
    await _settle(
        connection,
        f"""SELECT t.line_no, o.n, 1, {by.outcome}
            FROM left_theirs t JOIN ({one.format(by.group("x"), "line_no", "left_theirs")}) AS a ON a.only = t.line_no
            JOIN left_ours o ON o.order_ref = t.order_ref AND {by.same}
            JOIN ({one.format(by.group("x"), "n", "left_ours")}) AS b ON b.only = o.n""",
    )
    await _gather_left(connection)
    if not await _both_left(connection):
        return
    # (2) Order, day and amount, or what there is of them; alike ones in their order.
    names = ["coalesce(x.order_ref, '')", "x.amount", *(["x.day"] if by.day else [])]
    names += [f"x.{name}" for name, used in (("kind", by.kind), ("other_id", by.other)) if used]
    ranked = "SELECT x.*, row_number() OVER (PARTITION BY {0} ORDER BY {1}) AS rank FROM {2} x"
    await _settle(
        connection,
        f"""SELECT t.line_no, o.n, 2, 'MATCHED'
            FROM ({ranked.format(", ".join(names), "line_no", "left_theirs")}) AS t
            JOIN ({ranked.format(", ".join(names), "n", "left_ours")}) AS o
              ON coalesce(t.order_ref, '') = coalesce(o.order_ref, '') AND t.amount = o.amount AND t.rank = o.rank
             AND {"t.day = o.day" if by.day else "t.order_ref IS NOT NULL"} AND {by.same}""",
    )
    await _drop_left(connection)
    await _within_tolerance(connection, by)
    await _groups(connection, by)
    await _differing(connection, by)


async def _within_tolerance(connection: asyncpg.Connection, by: By) -> None:
    """(3) Lines of an order whose amounts and days are near: each other's nearest, until there are none."""
    near = f"AND abs(t.day - o.day) <= {by.days}" if by.day else ""
    while True:
        count = await _settle(
            connection,
            f"""SELECT line_no, n, 3, 'MATCHED' FROM (
                    SELECT t.line_no, o.n,
                           row_number() OVER (PARTITION BY t.line_no ORDER BY abs(t.amount - o.amount), o.n) AS first,
                           row_number() OVER (PARTITION BY o.n ORDER BY abs(t.amount - o.amount), t.line_no) AS second
                    FROM left_theirs t JOIN left_ours o ON o.order_ref = t.order_ref AND {by.same}
                    WHERE abs(t.amount - o.amount) <= {by.amount} {near}) AS near
                WHERE first = 1 AND second = 1""",
        )
        if not count:
            return
        await _drop_left(connection)


async def _groups(connection: asyncpg.Connection, by: By) -> None:
    """(4) One of theirs that is several of ours of an order, or the opposite: by their sum."""
    sums = "SELECT {0}, count(*) AS lines, sum(amount) AS amount FROM {1} x WHERE order_ref IS NOT NULL GROUP BY {0}"
    added = await _count(
        await connection.execute(
            f"""INSERT INTO grouped
                SELECT t.line_no, o.n, 4, CASE WHEN abs(a.amount - b.amount) <= {by.amount} THEN 'MATCHED'
                                               ELSE 'AMOUNT_DIFFERS' END
                FROM ({sums.format(by.group("x"), "left_theirs")}) AS a
                JOIN ({sums.format(by.group("x"), "left_ours")}) AS b ON {_equal(by, "a", "b")}
                JOIN left_theirs t ON {_equal(by, "t", "a")} JOIN left_ours o ON {_equal(by, "o", "b")}
                WHERE least(a.lines, b.lines) = 1 AND greatest(a.lines, b.lines) > 1"""
        )
    )
    if added:
        await connection.execute("""
            INSERT INTO settled_theirs (line_no, outcome, pass)
            SELECT DISTINCT line_no, outcome, pass FROM grouped;
            INSERT INTO settled_ours SELECT DISTINCT n, outcome FROM grouped""")
        await _drop_left(connection)


async def _differing(connection: asyncpg.Connection, by: By) -> None:
    """What is left of an order on both sides belongs together and differs: in the order of amounts."""
    ranked = """SELECT x.*, row_number() OVER (PARTITION BY {0} ORDER BY x.amount, {1}) AS rank FROM {2} x
                WHERE x.order_ref IS NOT NULL"""
    await _settle(
        connection,
        f"""SELECT t.line_no, o.n, 5, {by.outcome}
            FROM ({ranked.format(by.group("x"), "line_no", "left_theirs")}) AS t
            JOIN ({ranked.format(by.group("x"), "n", "left_ours")}) AS o
              ON o.order_ref = t.order_ref AND o.rank = t.rank AND {by.same}""",
    )
    await _drop_left(connection)


async def repeated(connection: asyncpg.Connection, by: By) -> None:
    """Lines without a key that say of an order what another line says which was matched: they are there twice."""
    same = " AND ".join(
        ["b.order_ref = t.order_ref", "b.amount = t.amount"]
        + (["b.day = t.day"] if by.day else [])
        + [f"b.{name} = t.{name}" for name, used in (("kind", by.kind), ("other_id", by.other)) if used]
    )
    await connection.execute(f"""
        INSERT INTO settled_theirs (line_no, outcome)
        SELECT t.line_no, 'DUPLICATE' FROM left_theirs t WHERE t.key IS NULL AND EXISTS (
            SELECT FROM theirs b JOIN settled_theirs s ON s.line_no = b.line_no AND s.outcome = 'MATCHED'
            WHERE {same})""")
    await _drop_left(connection)


async def match_near(connection: asyncpg.Connection, by: By, matched: Sequence[UUID]) -> None:
    """What the period left, against the period before and after: those of ours which the `matched` files of those
    did not take. By reference, or by order and amount."""
    free = """NOT EXISTS (SELECT FROM partner_line p WHERE p.file_id = ANY($1) AND p.operation_id = o.operation_id
                          AND p.seq = o.seq)
              AND NOT EXISTS (SELECT FROM partner_match p WHERE p.file_id = ANY($1) AND p.operation_id = o.operation_id
                              AND p.seq = o.seq)
              AND NOT EXISTS (SELECT FROM recon_break b WHERE b.file_id = ANY($1) AND b.operation_id = o.operation_id
                              AND b.seq = o.seq AND b.line_no IS NOT NULL)
              AND NOT EXISTS (SELECT FROM settled_theirs s WHERE s.near = o.n)"""
    for join in ("o.ref = t.key", f"o.order_ref = t.order_ref AND {by.same}"):
        await connection.execute(
            f"""INSERT INTO settled_theirs (line_no, outcome, pass, near)
                SELECT line_no, 'TIMING', 6, n FROM (
                    SELECT t.line_no, o.n, row_number() OVER (PARTITION BY t.line_no ORDER BY o.n) AS first,
                           row_number() OVER (PARTITION BY o.n ORDER BY t.line_no) AS second
                    FROM left_theirs t JOIN near o ON {join}
                    WHERE abs(t.amount - o.amount) <= {by.amount} AND {free}) AS near
                WHERE first = 1 AND second = 1""",
            list(matched),
        )
        await _drop_left(connection)


async def match_open(connection: asyncpg.Connection, by: By, beside: Sequence[UUID]) -> None:
    """What is left of ours, against what files of the periods `beside` had and we did not have then."""
    await connection.execute(
        f"""INSERT INTO closing SELECT id, n FROM (
                SELECT b.id, o.n, row_number() OVER (PARTITION BY b.id ORDER BY o.n) AS first,
                       row_number() OVER (PARTITION BY o.n ORDER BY b.id) AS second
                FROM recon_break b JOIN left_ours o ON o.ref = b.key OR o.order_ref = b.order_ref
                WHERE b.file_id = ANY($1) AND b.status = 'OPEN' AND b.line_no IS NOT NULL AND b.operation_id IS NULL
                  AND b.outcome IN ('MISSING_HERE', 'TIMING') AND abs(b.theirs - o.amount) <= {by.amount}
                  AND coalesce(b.other_id, o.other_id) = o.other_id) AS near
            WHERE first = 1 AND second = 1""",
        list(beside),
    )
    await connection.execute("INSERT INTO settled_ours SELECT n, 'TIMING' FROM closing")
    await _drop_left(connection)


async def rest(connection: asyncpg.Connection, waits_since: date | None) -> None:
    """What nobody matched is missing; it may still come if it is dated from `waits_since` on."""
    waiting = "CASE WHEN day >= $1::date THEN 'TIMING' ELSE '{0}' END"
    theirs, ours = waiting.format("MISSING_HERE"), waiting.format("MISSING_THERE")
    into = "INSERT INTO settled_theirs (line_no, outcome)"
    await connection.execute(f"{into} SELECT line_no, {theirs} FROM left_theirs", waits_since)
    await connection.execute(f"INSERT INTO settled_ours SELECT n, {ours} FROM left_ours", waits_since)
    for table in ("settled_theirs", "settled_ours", "found"):
        await connection.execute(f"ANALYZE {table}")


async def anything_left(connection: asyncpg.Connection) -> tuple[bool, bool]:
    """Whether lines of theirs, and of ours, have no outcome yet."""
    row = await connection.fetchrow(
        "SELECT EXISTS (SELECT FROM left_theirs) AS theirs, EXISTS (SELECT FROM left_ours) AS ours"
    )
    return row["theirs"], row["ours"]


async def _both_left(connection: asyncpg.Connection) -> bool:
    return all(await anything_left(connection))


async def _settle(connection: asyncpg.Connection, pairs: str) -> int:
    """Keep pairs (line_no, n, pass, outcome) that a pass found."""
    return int(
        await connection.fetchval(f"""
            WITH pairs (line_no, n, pass, outcome) AS MATERIALIZED ({pairs}),
                 kept AS (INSERT INTO found SELECT * FROM pairs),
                 theirs AS (INSERT INTO settled_theirs SELECT line_no, outcome, pass FROM pairs),
                 ours AS (INSERT INTO settled_ours SELECT n, outcome FROM pairs)
            SELECT count(*) FROM pairs""")
    )


async def _keep_left(connection: asyncpg.Connection) -> None:
    """Gather what the keys left: from here on it is little, most of the time. A key that is no reference is an
    order's, where the file says no other."""
    await connection.execute("ANALYZE settled_theirs; ANALYZE settled_ours")
    await connection.execute(
        """INSERT INTO left_theirs
           SELECT line_no, key, coalesce(order_ref, CASE WHEN key !~ $1 THEN key END), day, amount, points, kind,
                  other_id FROM theirs t WHERE NOT EXISTS (SELECT FROM settled_theirs s WHERE s.line_no = t.line_no)""",
        REFERENCE,
    )
    await connection.execute(
        "INSERT INTO left_ours OVERRIDING SYSTEM VALUE SELECT * FROM ours o"
        " WHERE NOT EXISTS (SELECT FROM settled_ours s WHERE s.n = o.n)"
    )
    await connection.execute("ANALYZE left_theirs; ANALYZE left_ours")


async def _gather_left(connection: asyncpg.Connection) -> None:
    """As `_drop_left`, where most of what was left is not any more: what stays is written anew, so that nobody reads
    over what is gone."""
    for side, key in (("theirs", "line_no"), ("ours", "n")):
        await connection.execute(f"""
            ANALYZE settled_{side};
            CREATE TEMP TABLE stays AS SELECT l.* FROM left_{side} l
            WHERE NOT EXISTS (SELECT FROM settled_{side} s WHERE s.{key} = l.{key});
            TRUNCATE left_{side};
            INSERT INTO left_{side} {"" if side == "theirs" else "OVERRIDING SYSTEM VALUE"} SELECT * FROM stays;
            DROP TABLE stays;
            ANALYZE left_{side}""")


async def _drop_left(connection: asyncpg.Connection) -> None:
    await connection.execute("""
        DELETE FROM left_theirs t USING settled_theirs s WHERE s.line_no = t.line_no;
        DELETE FROM left_ours o USING settled_ours s WHERE s.n = o.n;
        ANALYZE left_theirs; ANALYZE left_ours""")


def _equal(by: By, one: str, other: str) -> str:
    names = [name for name, used in (("kind", by.kind), ("other_id", by.other)) if used]
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in ["order_ref", *names])


async def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
