"""Tags by rule: every rule over a range of members, in a few statements whatever their number."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.money import exponent
from domain.profiles import tags
from domain.profiles.expressions import Expression
from domain.profiles.rules import Reader, sees
from domain.profiles.variables import kinds
from domain.programs.catalogue import Catalogue
from domain.programs.profiles import Attribute
from domain.programs.tagging import Fact, Tag
from domain.tiers.queries import standings

Range = tuple[UUID, UUID | None]
"""Members from the first one to before the other, by id; None: to the last."""


class Person(NamedTuple):
    """A member at a rule's owner: when and how they joined it; of the alliance's rules, the alliance."""

    holder_id: UUID
    status: str
    joined_at: datetime
    channel: str
    store: str


@dataclass(slots=True)
class Tally:
    """What a rule came to: members whom it fits, to whom the tag came and went, and of whom it could not be told."""

    matching: int = 0
    put: int = 0
    taken: int = 0
    failed: int = 0
    why: str | None = None

    def add(self, other: "Tally") -> None:
        """The sum of both; the first reason of a failure stays."""
        self.matching += other.matching
        self.put += other.put
        self.taken += other.taken
        self.failed += other.failed
        self.why = self.why or other.why


@dataclass(frozen=True, slots=True)
class Rule:
    """A tag with a condition, ready to run; `attributes` are those it may name."""

    tag: Tag
    owner_id: UUID
    merchant_id: UUID | None
    attributes: Mapping[str, Attribute]
    expression: Expression

    @property
    def name(self) -> str:
        """As plans call it."""
        return self.tag.code if self.tag.merchant is None else f"{self.tag.merchant}/{self.tag.code}"


def rules_of(catalogue: Catalogue) -> list[Rule]:
    """The rules of a catalogue, compiled."""
    return [_rule(catalogue, tag, tag.when) for tag in catalogue.members.tags if tag.when is not None]


def _rule(catalogue: Catalogue, tag: Tag, when: str) -> Rule:
    merchant_id = None if tag.merchant is None else catalogue.merchants[tag.merchant].id
    reader = Reader("operator") if tag.merchant is None else Reader("merchant", tag.merchant)
    declared = catalogue.members.attributes.values()
    seen = {
        one.code: one
        for one in declared
        if not one.personal and one.merchant in (None, tag.merchant) and sees(reader, one)
    }
    types = {code: attribute.type for code, attribute in seen.items()}
    expression = Expression(when, kinds(types, tag.facts, merchant_id is not None))
    return Rule(tag, merchant_id or catalogue.alliance.id, merchant_id, seen, expression)


async def run(
    session: AsyncSession,
    catalogue: Catalogue,
    rules: Sequence[Rule],
    within: Range,
    as_of: datetime,
    *,
    dry_run: bool = False,
) -> dict[str, Tally]:
    """Put and take the tags of these rules on the members of a range, as of now; nothing is written on a dry run.

    A condition that fails for a member does not fit them, and is counted.
    """
    by_owner: dict[UUID, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_owner[rule.owner_id].append(rule)
    found: dict[str, Tally] = {}
    for of_owner in by_owner.values():
        known = await _known(session, catalogue, of_owner, within, as_of)
        for rule in of_owner:
            found[rule.name] = await _apply(session, rule, known, as_of, dry_run)
    return found


@dataclass(slots=True)
class _Known:
    """What is known of the members of a range, as an owner's rules see it. Facts by rule and name."""

    people: Sequence[Person] = ()
    attributes: dict[UUID, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    by_hand: dict[UUID, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_rule: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    facts: dict[tuple[str, str], dict[UUID, int]] = field(default_factory=dict)
    tiers: dict[UUID, str] = field(default_factory=dict)


async def _apply(session: AsyncSession, rule: Rule, known: _Known, as_of: datetime, dry_run: bool) -> Tally:
    tally, fits = Tally(), set()
    for person, values in _values(rule, known, as_of):
        holds, why = rule.expression.holds(values)
        if why is not None:
            tally.failed += 1
            tally.why = tally.why or why
        elif holds:
            fits.add(person.holder_id)
    has = known.by_rule[rule.tag.code]
    tally.matching = len(fits)
    tally.put, tally.taken = len(fits - has), len(has - fits)
    if not dry_run:
        await tags.put(session, rule.owner_id, rule.tag.code, sorted(fits - has), as_of, ruled=True)
        await tags.take(session, rule.owner_id, rule.tag.code, sorted(has - fits))
    return tally


def _values(rule: Rule, known: _Known, as_of: datetime) -> Iterator[tuple[Person, dict[str, Any]]]:
    """What a rule's variables are, for each member."""
    defaults = {name: fact.days if fact.of == "days_since" else 0 for name, fact in rule.tag.facts.items()}
    facts = {name: known.facts[rule.tag.code, name] for name in defaults}
    for person in known.people:
        holder_id = person.holder_id
        attributes = known.attributes.get(holder_id, {})
        values = {f"attributes.{code}": value for code, value in attributes.items() if code in rule.attributes}
        values |= {name: facts[name].get(holder_id, default) for name, default in defaults.items()}
        values["known"] = [code for code in attributes if code in rule.attributes]
        values["tags"] = known.by_hand.get(holder_id, [])
        values |= {"status": person.status, "joined_days": (as_of - person.joined_at).days, "now": as_of}
        if rule.merchant_id is not None:
            values |= {"channel": person.channel, "store": person.store, "tier": known.tiers.get(holder_id, "")}
        yield person, values


async def _known(
    session: AsyncSession, catalogue: Catalogue, rules: Sequence[Rule], within: Range, as_of: datetime
) -> _Known:
    """What these rules, of one owner, need to know."""
    first = rules[0]
    known = _Known()
    span = {"first": within[0], "before": within[1], "owner": first.owner_id}
    query = _MEMBERS if first.merchant_id is None else _JOINED
    known.people = [Person(*row) for row in await session.execute(query, span)]
    ids = [person.holder_id for person in known.people]
    for holder_id, code, value in await session.execute(_ATTRIBUTES, span | {"codes": list(first.attributes)}):
        known.attributes[holder_id][code] = native(first.attributes[code], value)
    for holder_id, code, ruled in await session.execute(_TAGS, span):
        if ruled:
            known.by_rule[code].add(holder_id)
        else:
            known.by_hand[holder_id].append(code)
    await _facts(session, catalogue, rules, span, as_of, known)
    programme = None if first.tag.merchant is None else catalogue.merchants[first.tag.merchant].tiers
    if programme is not None and any("tier" in (rule.tag.when or "") for rule in rules):
        found = await standings(session, [(id_, programme) for id_ in ids], as_of)
        for id_, standing in zip(ids, found, strict=True):
            current = standing.tiers[-1].level if standing.tiers else None
            known.tiers[id_] = current or ""
    return known


def native(attribute: Attribute, value: str) -> Any:
    """A stored value, from its JSON text, as a rule sees it."""
    found = orjson.loads(value)
    match attribute.type:
        case "decimal":
            return float(Decimal(value))
        case "date":
            return datetime.combine(date.fromisoformat(found), time(), UTC)
        case _:
            return found


_MEMBERS = text("""
    SELECT id, status, joined_at, '', '' FROM member
    WHERE id >= :first AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)) AND status <> 'CLOSED'
    ORDER BY id
""")
_JOINED = text("""
    SELECT m.id, m.status, j.joined_at, j.channel, coalesce(j.store, '')
    FROM member m JOIN membership j ON j.holder_id = m.id AND j.merchant_id = :owner
    WHERE m.id >= :first AND (CAST(:before AS uuid) IS NULL OR m.id < CAST(:before AS uuid)) AND m.status <> 'CLOSED'
    ORDER BY m.id
""")
_ATTRIBUTES = text("""
    SELECT holder_id, code, value::text FROM member_attribute
    WHERE holder_id >= :first AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND code = ANY(CAST(:codes AS text[])) AND value IS NOT NULL
    ORDER BY holder_id, code
""")
_TAGS = text("""
    SELECT holder_id, code, ruled FROM member_tag
    WHERE holder_id >= :first AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND owner_id = :owner
    ORDER BY holder_id, code
""")

# A line of an order is [ref, sku, category, quantity, amount, points]; before the lines come money, and what was paid.
# An order that came back whole was no purchase.
_FACTS = text("""
    WITH fact AS (
        SELECT * FROM jsonb_to_recordset(CAST(:facts AS jsonb))
            AS f (n integer, since timestamptz, category jsonb, merchants jsonb, money text)
    ), person AS (
        SELECT id AS holder_id, id AS person_id FROM member
        WHERE id >= :first AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
        UNION ALL
        SELECT holder_id, survivor_id FROM member_alias
        WHERE survivor_id >= :first AND (CAST(:before AS uuid) IS NULL OR survivor_id < CAST(:before AS uuid))
    ), bought AS MATERIALIZED (
        SELECT p.person_id AS holder_id, o.id, o.merchant_id, o.occurred_at, o.lines
        FROM operation o JOIN person p ON p.holder_id = o.holder_id
        WHERE o.kind = 'EARN' AND jsonb_array_length(o.lines) > 2
          AND o.occurred_at > (SELECT min(since) FROM fact) AND o.occurred_at <= :as_of
          AND (CAST(:merchant AS uuid) IS NULL OR o.merchant_id = CAST(:merchant AS uuid))
          AND NOT EXISTS (SELECT FROM operation r JOIN operation_return t ON t.holder_id = r.holder_id
                          AND t.operation_id = r.id
                          WHERE r.holder_id = o.holder_id AND r.reverses = o.id AND t.whole)
    )
    SELECT f.n, b.holder_id, count(DISTINCT b.id), max(b.occurred_at),
           sum((line->>4)::numeric) FILTER (WHERE b.lines->>0 = f.money)
    FROM bought b
    CROSS JOIN LATERAL jsonb_array_elements(b.lines) WITH ORDINALITY AS l (line, place)
    JOIN fact f ON b.occurred_at > f.since AND (f.category IS NULL OR f.category ? (line->>2))
        AND (f.merchants IS NULL OR f.merchants ? b.merchant_id::text)
    WHERE place > 2
    GROUP BY 1, 2
""")


async def _facts(
    session: AsyncSession,
    catalogue: Catalogue,
    rules: Sequence[Rule],
    span: Mapping[str, Any],
    as_of: datetime,
    known: _Known,
) -> None:
    """All facts of an owner's rules, in one statement."""
    wanted = [(rule.tag.code, name, fact) for rule in rules for name, fact in rule.tag.facts.items()]
    for code, name, _ in wanted:
        known.facts[code, name] = {}
    if not wanted:
        return
    money = catalogue.alliance.settlement_currency
    rows = [_asked(catalogue, n, fact, as_of, money) for n, (_, _, fact) in enumerate(wanted)]
    values = {**span, "as_of": as_of, "merchant": rules[0].merchant_id, "facts": orjson.dumps(rows).decode()}
    for n, holder_id, count, newest, total in await session.execute(_FACTS, values):
        code, name, fact = wanted[n]
        known.facts[code, name][holder_id] = {
            "count": count,
            "sum": int((total or Decimal(0)).scaleb(exponent(fact.money or money))),
            "days_since": (as_of - newest).days,
        }[fact.of]


def _asked(catalogue: Catalogue, n: int, fact: Fact, as_of: datetime, money: str) -> dict[str, Any]:
    named = None if fact.merchants is None else [str(catalogue.merchants[code].id) for code in fact.merchants]
    since = as_of - timedelta(days=fact.days)
    return {"n": n, "since": since.isoformat(), "category": fact.category, "merchants": named} | {
        "money": fact.money or money
    }
