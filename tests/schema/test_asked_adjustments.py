"""Points above the limit of one person are moved once a second one approved (A16)."""

from dataclasses import replace

from alliance.runtime import Runtime
from domain.programs.catalogue import ByHand
from tests.schema.support import NOW, Client, by_card, viewer_of

ADJUSTED = """... on Adjusted { points approval { id act status } operation { change(currency: "GRO") } }"""
APPROVED = "... on Approved { approval { status outcome } } ... on ActRefused { refusal }"


async def test_a16_more_than_the_limit_waits_for_a_second_person(runtime: Runtime, operator: Client, card: str) -> None:
    asked = {"merchant": "grocer", "member": by_card(card), "points": 1_001, "reason": "goodwill"}
    second = operator.signed_in(viewer_of("operator")).at(NOW)
    refused = await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **asked)
    assert refused["code"] == "ADJUSTMENT_LIMIT_EXCEEDED"
    small = await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **asked | {"points": 10}, askApproval=True)
    assert (small["points"], small["approval"]) == (10, None), "one person may"
    given = asked | {"askApproval": True, "idempotencyKey": "ask-to-adjust-1"}
    waits = await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **given)
    assert await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **given) == waits, "asked for once"
    assert (waits["points"], waits["operation"]) == (0, None)
    approval = waits["approval"]["id"]
    own = await operator.do("approve", "DecideApprovalInput", APPROVED, approval=approval)
    assert own["code"] == "SAME_HANDS"
    done = await second.do("approve", "DecideApprovalInput", APPROVED, approval=approval)
    assert (done["approval"]["status"], done["approval"]["outcome"]["points"]) == ("APPROVED", 1_001)
    by = f'{{identifier: {{type: "CARD", issuer: "grocer", value: "{card}"}}}}'
    wallet = f'{{ member(by: {by}) {{ wallet(currency: "GRO") {{ balance }} }} }}'
    assert (await operator.run(wallet))["member"]["wallet"]["balance"] == 1_011
    more = given | {"points": -5_000, "idempotencyKey": "ask-to-adjust-2"}
    taken = await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **more)
    assert taken["code"] == "INSUFFICIENT_POINTS", "what cannot be is not asked for"
    catalogue = runtime.catalogue
    alone = replace(catalogue.alliance, by_hand=ByHand(alone=frozenset({"ADJUST_POINTS"})))
    runtime.catalogue = replace(catalogue, alliance=alone)
    more = given | {"idempotencyKey": "ask-to-adjust-3"}
    at_once = await operator.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **more)
    assert (at_once["approval"], at_once["operation"]) == (None, {"change": 1_001})
