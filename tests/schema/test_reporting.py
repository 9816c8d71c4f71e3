"""Reports over the endpoint: a merchant's own side, the operator's all (A14)."""

from alliance.runtime import Runtime
from tests.alliance.reporting.test_reports import around, settled
from tests.alliance.support import House
from tests.schema.support import Client

ALL = """query ($from: Date!, $to: Date!) {
  exposureHistory { cycle { number } merchant { code } owed { amount } cap { amount } percent alerts highest }
  settlementHistory { cycle { number } netting { gross { payments } multilateral { amount { amount } payments } } days }
  ageing { what merchant { code } against { code } fromDays toDays count amount { amount } }
  backAtZero(from: $from, to: $to) { merchant { code } partner { code } lines within share }
  obligationTotals(from: $from, to: $to) { debtor { code } creditor { code } kind lines amount { amount } } }"""
OF_FUEL = """{ settlementHistory(merchant: "fuel") { days } }"""


async def test_a14_reports_are_of_ones_own_side(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    await settled(House(runtime))
    span = around()
    asked = {"from": span.first.isoformat(), "to": span.last.isoformat()}
    everything, own = await operator.run(ALL, **asked), await fuel.run(ALL, **asked)
    assert {row["merchant"]["code"] for row in everything["exposureHistory"]} == {"grocer", "fuel"}
    assert [row["merchant"]["code"] for row in own["exposureHistory"]] == ["fuel"]
    assert own["exposureHistory"][0]["cap"] == {"amount": "5000.000000"}
    assert own["settlementHistory"][0]["netting"]["multilateral"] == {"amount": {"amount": "18.00"}, "payments": 1}
    assert (own["ageing"], own["backAtZero"][0]["share"]) == ([], "100.00")
    assert own["obligationTotals"] == everything["obligationTotals"]
    assert own["obligationTotals"][0]["amount"] == {"amount": "18.000000"}
    assert len((await fuel.run(OF_FUEL))["settlementHistory"]) == 1
    too_many = "{ settlementHistory(cycles: 101) { days } }"
    for client, query, code in ((grocer, OF_FUEL, "NOT_FOUND"), (operator, too_many, "BAD_USER_INPUT")):
        [error] = await client.errors(query)
        assert error["extensions"]["code"] == code
