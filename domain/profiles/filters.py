"""Conditions on what is known of a member, as SQL: each an indexed look-up of its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, cast, exists, func, literal_column, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.errors import InvalidInput
from domain.privacy.vault import digest
from domain.profiles.commands import field_of
from domain.profiles.errors import UnfitAttribute
from domain.profiles.model import MemberAttribute, MemberTag
from domain.profiles.rules import fitted, stored
from domain.programs.profiles import Attribute

Holder = InstrumentedAttribute[UUID]
Comparison = Literal["equals", "oneOf", "atLeast", "moreThan", "atMost", "lessThan", "has", "known"]

MOST_OF = 100
"""How many values `oneOf` names at most."""

_ORDER = {"equals": "=", "atLeast": ">=", "moreThan": ">", "atMost": "<=", "lessThan": "<"}
_ORDERED = ("integer", "decimal", "date")


def attribute_is(
    session: AsyncSession, holder: Holder, attribute: Attribute, conditions: Mapping[str, Any], told_by: UUID | None
) -> ColumnElement[bool]:
    """That all these comparisons hold of a member's value; see `Comparison`.

    `told_by`: only values that this merchant told count. Raises InvalidInput for comparisons that its type has not,
    UnfitAttribute for a value that it cannot have.
    """
    row = MemberAttribute
    known = (row.holder_id == holder) & (row.code == attribute.code)
    if told_by is not None:
        known &= row.merchant_id == told_by
    wanted = {name: value for name, value in conditions.items() if value is not None}
    if not wanted:
        raise InvalidInput(reason="give at least one comparison", path=("equals",))
    if attribute.personal:
        return exists().where(known, row.digest == _digest(session, attribute, wanted))
    if wanted == {"known": False}:
        return ~exists().where(known)
    fits = [_compared(attribute, name, value) for name, value in wanted.items()]  # type: ignore[arg-type]
    return exists().where(known, *fits)


def _digest(session: AsyncSession, attribute: Attribute, wanted: Mapping[str, Any]) -> bytes:
    if not attribute.find or wanted.keys() != {"equals"}:
        how = "looked for by equals" if attribute.find else "not looked for"
        reason = f"{attribute.code} is personal: it is {how}"
        raise InvalidInput(reason=reason, path=(next(iter(wanted)),))
    return digest(session, field_of(attribute.code), _text(attribute, "equals", wanted["equals"]))


def _compared(attribute: Attribute, name: Comparison, value: Any) -> ColumnElement[bool]:
    kind, column = attribute.type, MemberAttribute.value
    one = func.jsonb_typeof(column) != literal_column("'array'")
    match name:
        case "known" if value is True:
            return literal_column("true")
        case "has" if kind == "choices":
            return (~one) & column.op("@>")(_json(_text(attribute, name, [value])))
        case "equals" if kind != "choices":
            return one & column.op("=")(_json(_text(attribute, name, value)))
        case "oneOf" if kind != "choices" and isinstance(value, list) and 1 <= len(value) <= MOST_OF:
            texts = [_json(_text(attribute, name, item)) for item in value]
            return one & column.in_(texts)
        case "atLeast" | "moreThan" | "atMost" | "lessThan" if kind in _ORDERED:
            return one & column.op(_ORDER[name], is_comparison=True)(_json(_text(attribute, name, value)))
        case _:
            raise InvalidInput(reason=f"{attribute.code} is a {kind}: it is not compared so", path=(name,))


def _text(attribute: Attribute, name: str, value: Any) -> str:
    """A value as it is stored; decimals by what they come to. Raises UnfitAttribute."""
    try:
        return stored(attribute, fitted(attribute, value))
    except UnfitAttribute as refusal:
        refusal.path = (name,)
        raise


def _json(text: str) -> ColumnElement[Any]:
    return cast(cast(bindparam(None, text, Text, unique=True), Text), JSONB)


def tagged(
    holder: Holder,
    owners: Callable[[str], Collection[UUID]],
    wanted: Mapping[Literal["all", "any", "none"], Sequence[str]],
) -> list[ColumnElement[bool]]:
    """That a member has all of these tags, any of those, and none of others; `owners` are those whose tag may count."""

    def has(codes: Sequence[str]) -> ColumnElement[bool]:
        row = MemberTag
        ways = [row.owner_id.in_(owners(code)) & (row.code == code) for code in codes]
        return exists().where(row.holder_id == holder, or_(*ways))

    found = [has([code]) for code in wanted.get("all") or ()]
    if of_any := wanted.get("any"):
        found.append(has(of_any))
    if of_none := wanted.get("none"):
        found.append(~has(of_none))
    return found
