"""Tiers over the endpoint: docs/tiers.md runs, and each sees what is theirs."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from alliance.runtime import Runtime
from resolvers.viewer import Scope
from tests.alliance.kinds import file_of, put_in_force, with_tiers
from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_docs import EXAMPLE, fits

PAGE = Path(__file__).parents[2] / "docs" / "tiers.md"
TIER = "tier { code since until credits next { level { code } missing } history { code reason } }"
MINE = f"query ($by: MemberRef!) {{ member(by: $by) {{ memberships {{ merchant {{ code }} {TIER} }} }} }}"


async def buy(client: Client, card: str, dollars: int) -> Any:
    return await client.do(
        "earn",
        "EarnInput",
        "... on Earned { points }",
        merchant="grocer",
        member=by_card(card),
        channel="STORE",
        amount={"amount": f"{dollars}.00", "currency": "USD"},
    )


async def test_the_page_of_tiers_says_what_happens(runtime: Runtime, operator: Client) -> None:
    page = PAGE.read_text(encoding="utf-8")
    [written] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    header, _, _ = file_of().partition("\nmembers:\n")
    await put_in_force(runtime, f"{header}\n{written}")
    identifiers = [{"type": "CARD", "value": "900"}]
    enrolling = {"merchant": "cafe", "channel": "STORE", "identifiers": identifiers}
    await operator.do("enrolMember", "EnrolMemberInput", "", **enrolling)
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```graphql") == 4
    for document, answer in examples:
        found = await operator.run(document.replace("EARN_ID", await _newest(operator)))
        assert fits(orjson.loads(answer), found), (document, found)


async def _newest(client: Client) -> str:
    query = "query ($by: MemberRef!) { member(by: $by) { activity(first: 1) { edges { node { id } } } } }"
    by = {"identifier": {"type": "CARD", "issuer": "cafe", "value": "900"}}
    edges = (await client.run(query, by=by))["member"]["activity"]["edges"]
    return edges[0]["node"]["id"] if edges else ""


async def test_r11_the_way_to_the_next_tier(runtime: Runtime, operator: Client, card: str) -> None:
    [mine] = (await operator.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert mine == {"merchant": {"code": "grocer"}, "tier": None}
    await put_in_force(runtime, with_tiers())
    await buy(operator, card, 40)
    [mine] = (await operator.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert mine["tier"] == {
        "code": None,
        "since": None,
        "until": None,
        "credits": 40,
        "next": {"level": {"code": "silver"}, "missing": 60},
        "history": [],
    }
    await buy(operator, card, 80)
    [mine] = (await operator.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert mine["tier"] == {
        "code": "silver",
        "since": "2017-06-01T12:00:00+00:00",
        "until": "2019-01-01T05:00:00+00:00",
        "credits": 120,
        "next": {"level": {"code": "gold"}, "missing": 180},
        "history": [{"code": "silver", "reason": "REACHED"}],
    }


@pytest.mark.parametrize("terms", ["", "lasts: balance, "])
async def test_r07_what_is_shown_does_not_wait_for_the_night(
    runtime: Runtime, operator: Client, card: str, terms: str
) -> None:
    """Years later, nothing was booked meanwhile."""
    await put_in_force(runtime, with_tiers(terms))
    await buy(operator, card, 120)
    later = operator.at(NOW + timedelta(days=3 * 365))
    [mine] = (await later.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert (mine["tier"]["code"], mine["tier"]["credits"], mine["tier"]["since"]) == (None, 0, None)
    reason = "BALANCE" if terms else "ENDED"
    assert mine["tier"]["history"] == [{"code": None, "reason": reason}, {"code": "silver", "reason": "REACHED"}]


async def test_a_tier_is_for_those_who_may_see_points(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, anonymous: Client, card: str
) -> None:
    await put_in_force(runtime, with_tiers())
    await buy(operator, card, 300)
    [mine] = (await grocer.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert mine["tier"]["history"][-1]["code"] == "gold"
    assert (await fuel.run(MINE, by=by_card(card)))["member"] is None
    blind = anonymous.signed_in(viewer_of("operator", scopes=[Scope.MEMBERS_READ]))
    [mine] = (await blind.run(MINE, by=by_card(card)))["member"]["memberships"]
    assert mine["tier"] is None
    [error] = await operator.errors(MINE.replace("history", "history(first: 101)"), by=by_card(card))
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
