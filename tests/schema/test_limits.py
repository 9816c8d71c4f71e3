"""How much one document may ask for; and that checking it twice costs nothing."""

from typing import Any

import pytest
import strawberry.extensions.parser_cache
import strawberry.extensions.validation_cache

from schema.build import CACHED_DOCUMENTS
from schema.limits import MAX_ALIASES, MAX_DEPTH
from tests.schema.support import Client


def nested(depth: int) -> str:
    inner = "__typename"
    for _ in range(depth):
        inner = f"merchant {{ currencies {{ {inner} }} }}"
    return f'{{ merchant(code: "grocer") {{ currencies {{ {inner} }} }} }}'


def bomb(levels: int) -> str:
    """Each fragment spreads the next one twice."""
    fragments = [f"fragment F{n} on Merchant {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)] + [
        f"fragment F{levels} on Merchant {{ code name }}"
    ]
    return '{ merchant(code: "grocer") { ...F0 } } ' + " ".join(fragments)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (nested(MAX_DEPTH), "too deep"),
        (
            "{ " + " ".join(f"a{n}: __typename v{n}: viewer {{ kind }}" for n in range(MAX_ALIASES + 1)) + " }",
            "aliases",
        ),
        (
            "{ members(first: 100) { edges { node { activity(first: 100) { edges { node { transfers "
            "{ points balanceAfter currency { code name } } title kind status id } } } } } } }",
            "costly",
        ),
        (
            "query ($n: Int) { members(first: $n) { edges { node { activity(first: $n) { edges { node { title kind "
            "status id occurredAt bookedAt channel orderRef decidedBy { rule } } } } } } } }",
            "costly",
        ),
        (bomb(40), "costly"),
        ("{ " + "viewer { kind } " * 1500 + "}", "tokens"),
    ],
)
async def test_too_complex(operator: Client, query: str, says: str) -> None:
    errors = await operator.errors(query)
    assert {error["extensions"]["code"] for error in errors} == {"QUERY_TOO_COMPLEX"}
    assert any(says in error["message"] for error in errors), errors


async def test_within_limits(operator: Client) -> None:
    await operator.run("{ members(first: 100) { edges { node { id number wallets { balance currency { code } } } } } }")
    await operator.run(
        "query ($n: Int = 5) { members(first: $n) { edges { node { activity(first: 20) { totalCount } } } } }"
    )
    await operator.run(nested(4))


async def test_documents_that_cannot_be(operator: Client) -> None:
    cycle = '{ merchant(code: "x") { ...A } } fragment A on Merchant { ...B } fragment B on Merchant { ...A }'
    for query in (cycle, "{ nothing }", "{", "{ viewer }", "query A { __typename } query B { __typename }"):
        errors = await operator.errors(query)
        assert {error["extensions"]["code"] for error in errors} <= {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}


async def test_parsing_and_validation_are_cached(operator: Client) -> None:
    parsed: Any = strawberry.extensions.parser_cache._get_parse_cache(CACHED_DOCUMENTS)
    validated: Any = strawberry.extensions.validation_cache._get_validate_cache(CACHED_DOCUMENTS)
    query = "query Twice($code: String!) { merchant(code: $code) { name } }"
    await operator.run(query, code="grocer")
    before = parsed.cache_info(), validated.cache_info()
    for code in ("grocer", "fuel", "grocer"):
        await operator.run(query, code=code)
    after = parsed.cache_info(), validated.cache_info()
    assert [a.hits - b.hits for a, b in zip(after, before, strict=True)] == [3, 3]
    assert [a.misses - b.misses for a, b in zip(after, before, strict=True)] == [0, 0]
