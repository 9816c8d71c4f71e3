"""The business calendar over the endpoint: all who settle see it, the operator keeps it (A14, A16)."""

from alliance.runtime import Runtime
from resolvers import ids
from tests.alliance.deadlines.test_deadlines import stated
from tests.alliance.support import NOON, House
from tests.schema.support import Client, viewer_of

DAYS = """{ businessCalendar(from: "2017-07-05", to: "2017-07-06") {
          date business holiday declared marks { kind at cycle { number } } } }"""
DECLARED = "... on BusinessDaysDeclared { days { date business declared } }"
EXTENDED = """... on DeadlineExtended { approval { id act status }
              cycle { number objectionsUntil extensions { kind until reason } } }"""


async def test_a14_a16_the_operator_declares_days_and_all_see_them(operator: Client, grocer: Client) -> None:
    before = (await grocer.run(DAYS))["businessCalendar"]
    assert [(day["date"], day["business"]) for day in before] == [("2017-07-05", True), ("2017-07-06", True)]
    asked = {"holidays": ["2017-07-06"], "reason": "decreed"}
    [denied] = await grocer.errors(
        'mutation { declareBusinessDays(input: {idempotencyKey: "days-0001", reason: "x"}) { __typename } }'
    )
    assert denied["extensions"]["code"] == "FORBIDDEN"
    declared = await operator.do("declareBusinessDays", "DeclareBusinessDaysInput", DECLARED, **asked)
    assert declared["days"] == [{"date": "2017-07-06", "business": False, "declared": "HOLIDAY"}]
    after = (await grocer.run(DAYS))["businessCalendar"]
    assert [day["business"] for day in after] == [True, False]
    nothing = await operator.do("declareBusinessDays", "DeclareBusinessDaysInput", DECLARED, reason="x")
    assert nothing["code"] == "INVALID_INPUT"


async def test_a16_a_deadline_waits_for_a_second_person(runtime: Runtime, operator: Client, grocer: Client) -> None:
    cycle_id = await stated(House(runtime))
    asked = {"cycle": ids.encode("SettlementCycle", cycle_id), "deadline": "OBJECTIONS", "reason": "flooded"}
    asked |= {"until": "2017-06-20T00:00:00+00:00"}
    one, two = (operator.signed_in(viewer_of("operator")).at(NOON) for _ in range(2))
    waits = await one.do("extendDeadline", "ExtendDeadlineInput", EXTENDED, **asked)
    assert waits["cycle"]["extensions"] == []
    id_ = waits["approval"].pop("id")
    assert waits["approval"] == {"act": "EXTEND_DEADLINE", "status": "WAITING"}
    done = "... on Approved { approval { status } }"
    assert (await two.do("approve", "DecideApprovalInput", done, approval=id_))["approval"] == {"status": "APPROVED"}
    seen = (
        f'{{ node(id: "{asked["cycle"]}") {{ ... on SettlementCycle {{ extensions {{ kind until by reason }} }} }} }}'
    )
    [extended] = (await two.run(seen))["node"]["extensions"]
    assert (extended["kind"], extended["until"], extended["reason"]) == (
        "OBJECTIONS",
        "2017-06-20T00:00:00+00:00",
        "flooded",
    )
    theirs = (await grocer.run(seen.replace("by reason", "")))["node"]["extensions"]
    assert theirs == [{"kind": "OBJECTIONS", "until": "2017-06-20T00:00:00+00:00"}]
    wrong = await one.do("extendDeadline", "ExtendDeadlineInput", EXTENDED, **asked | {"deadline": "PAYMENTS"})
    assert wrong["code"] == "WRONG_CYCLE_STATUS", "it is not asked for what cannot be"
