"""Limits and points that wait, over the endpoint: earn, confirm, reject (R3, R9)."""

from dataclasses import replace
from typing import Any

from alliance.runtime import Runtime
from domain.programs.terms import EarnLimits, PendingTerms
from tests.schema.support import Client, by_card
from tests.schema.test_mutations import earn, spend

WANT = """... on Earned { points pending truncated operation { id status title change(currency: "GRO") }
          wallet { balance available pending } decidedBy { rule points } }
          ... on LimitExceeded { limit cap used requested }"""
ACTIVATED = """... on Activated { points operation { id kind title change(currency: "GRO") }
               wallet { balance pending lots { edges { node { granted } } } } }"""
REJECTED = "... on Rejected { points operation { kind reverses { id status } } }"


def gro(runtime: Runtime, **terms: Any) -> None:
    """Let GRO have these terms."""
    currency = runtime.catalogue.currencies["GRO"]
    changed = replace(currency, policies=tuple(replace(policy, **terms) for policy in currency.policies))
    runtime.catalogue = replace(runtime.catalogue, currencies=runtime.catalogue.currencies | {"GRO": changed})


async def confirm(client: Client, operation: str, **input: Any) -> Any:
    return await client.do("confirmEarn", "ConfirmEarnInput", ACTIVATED, operation=operation, **input)


async def reject(client: Client, operation: str, **input: Any) -> Any:
    given = {"operation": operation, "reason": "cancelled", **input}
    return await client.do("rejectEarn", "RejectEarnInput", REJECTED, **given)


async def test_r03_an_earn_that_waits_is_confirmed_once(operator: Client, runtime: Runtime, card: str) -> None:
    gro(runtime, pending=PendingTerms(None))
    earned = await earn(operator, card, WANT)
    assert (earned["points"], earned["pending"]) == (13, 13)
    assert earned["wallet"] == {"balance": 0, "available": 0, "pending": 13}
    assert (earned["operation"]["status"], earned["operation"]["change"]) == ("PENDING", 0)
    assert (await spend(operator, card, points=1))["__typename"] == "InsufficientPoints"
    operation = earned["operation"]["id"]
    tried = await confirm(operator, operation, dryRun=True)
    assert (tried["points"], tried["operation"]) == (13, None)
    done = await confirm(operator, operation, idempotencyKey="confirm-1")
    assert (done["operation"]["kind"], done["operation"]["change"]) == ("ACTIVATE", 13)
    assert done["wallet"] == {"balance": 13, "pending": 0, "lots": {"edges": [{"node": {"granted": 13}}]}}
    assert (await confirm(operator, operation, idempotencyKey="confirm-1"))["points"] == 13
    for again in (await confirm(operator, operation), await reject(operator, operation)):
        assert (again["__typename"], again["code"]) == ("NotPending", "NOT_PENDING")


async def test_r03_an_earn_that_waits_is_rejected_wholly(operator: Client, runtime: Runtime, card: str) -> None:
    gro(runtime, pending=PendingTerms(3))
    earned = await earn(operator, card, WANT)
    gone = await reject(operator, earned["operation"]["id"])
    assert gone["points"] == 13
    assert gone["operation"] == {
        "kind": "REVERSAL",
        "reverses": {"id": earned["operation"]["id"], "status": "REVERSED"},
    }
    found = await operator.run(
        'query ($by: MemberRef!) { member(by: $by) { wallet(currency: "GRO") { balance pending } } }',
        by=by_card(card),
    )
    assert found["member"]["wallet"] == {"balance": 0, "pending": 0}


async def test_only_the_merchants_own_earns(operator: Client, fuel: Client, runtime: Runtime, card: str) -> None:
    gro(runtime, pending=PendingTerms(None))
    operation = (await earn(operator, card, WANT))["operation"]["id"]
    assert (await confirm(fuel, operation))["code"] in ("NOT_FOUND", "NOT_ALLOWED")
    assert (await reject(fuel, operation))["code"] in ("NOT_FOUND", "NOT_ALLOWED")


async def test_r09_a_truncated_earn_says_so_and_a_refused_one_why(
    operator: Client, runtime: Runtime, card: str
) -> None:
    gro(runtime, limits=EarnLimits(per_day=20))
    assert (await earn(operator, card, WANT))["truncated"] == 0
    second = await earn(operator, card, WANT)
    assert (second["points"], second["truncated"]) == (7, 6)
    assert second["decidedBy"] == [{"rule": "base", "points": 13}, {"rule": "limit:perDay", "points": -6}]
    gro(runtime, limits=EarnLimits(per_day=20, over="refuse"))
    third = await earn(operator, card, WANT)
    assert third["__typename"] == "LimitExceeded"
    assert {name: third[name] for name in ("limit", "cap", "used", "requested")} == {
        "limit": "perDay",
        "cap": 20,
        "used": 20,
        "requested": 13,
    }
