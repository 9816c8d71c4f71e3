"""Conditions in CEL: what is wrong is said with its place; what cannot be told does not hold; nothing runs for ever."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.profiles.expressions import Expression, ExpressionError
from domain.profiles.variables import kinds

VARIABLES = kinds({"pets": "integer", "height": "decimal", "diet": "choices", "born": "date"}, ["visits"], True)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("visits >", "1:9: Syntax error: mismatched input '<EOF>' expecting"),
        ("visit > 1", "1:1: undeclared reference to 'visit'"),
        ("visits > 1 &&\n  attributes.cats > 1", "2:13: undeclared reference to 'attributes.cats'"),
        ("visits > 1.5", "1:8: found no matching overload for '_>_' applied to '(int, double)'"),
        ("tier == 3", "1:6: found no matching overload"),
        ("visits + 1", "1:1: must be true or false, and is INT"),
        ("visits > 1 && has(attributes.pets)", "1:15: has() is not there: write 'name' in known"),
        ("(" * 300 + "visits" + ")" * 300 + " > 1", "1:1: Expression recursion limit exceeded"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source: str, error: str) -> None:
    with pytest.raises(ExpressionError) as wrong:
        Expression(source, VARIABLES)
    assert str(wrong.value).startswith(error)


KNOWN: dict[str, Any] = {"visits": 3, "attributes.height": 1.8, "known": ["height"], "tags": ["vip"], "tier": ""}
KNOWN |= {"attributes.born": datetime(1990, 2, 28, tzinfo=UTC), "now": datetime(2017, 2, 28, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("source", "holds", "why"),
    [
        ("visits == 3 && attributes.height >= 1.8 && 'vip' in tags", True, ""),
        ("'pets' in known && attributes.pets > 1", False, ""),
        ("attributes.pets > 1 || visits == 3", True, ""),
        ("attributes.pets > 1", False, "attributes.pets is not known"),
        ("visits / 0 == 1", False, "divide by zero"),
        ("attributes.born.getDate() == now.getDate()", True, ""),
        ("tags.exists(tag, tag.matches('^v+i+p+$'))", True, ""),
    ],
)
def test_what_cannot_be_told_does_not_hold(source: str, holds: bool, why: str) -> None:
    held, reason = Expression(source, VARIABLES).holds(KNOWN)
    assert (held, why in (reason or ""), bool(reason)) == (holds, True, bool(why))


def test_loops_share_a_budget() -> None:
    nested = "tags.exists(a, tags.exists(b, tags.exists(c, tags.exists(d, false))))"
    held, reason = Expression(nested, VARIABLES).holds(KNOWN | {"tags": ["x"] * 500})
    assert (held, reason) == (False, "Iteration budget exceeded")
