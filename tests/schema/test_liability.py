"""What is owed for points that are out, over the endpoint: for its merchant, the operator and auditors (A13, A14)."""

from datetime import timedelta

from alliance.liability.closing import close_months
from alliance.runtime import Runtime
from tests.schema.support import NOW, Client
from tests.schema.test_statements import earn

QUERY = """query ($merchant: String, $month: String) { liability(merchant: $merchant, month: $month) {
  month merchant { code } programmes { currency { code } estimate { use by curve { age used } }
    points { opening granted closing } money { closing { amount } nonCurrent { amount } }
    postings { account amount { amount } }
    cohorts(first: 1) { totalCount edges { node { issued use money { sold { amount } } } } } } } }"""


async def test_a13_a_closed_month_is_read_by_its_merchant_and_no_other(
    operator: Client, grocer: Client, fuel: Client, card: str, runtime: Runtime
) -> None:
    await earn(operator, card, 100)
    month = f"{NOW:%Y-%m}"
    assert (await operator.run(QUERY, merchant="grocer", month=month))["liability"] is None
    async with runtime.database.transaction() as session:
        await close_months(session, runtime.catalogue, NOW + timedelta(days=40))
    found = (await operator.run(QUERY, merchant="grocer", month=month))["liability"]
    (gro,) = [one for one in found["programmes"] if one["currency"]["code"] == "GRO"]
    assert gro["points"] == {"opening": 0, "granted": 100, "closing": 100}
    assert gro["money"] == {"closing": {"amount": "1.000000"}, "nonCurrent": {"amount": "0.000000"}}
    assert gro["postings"] == [
        {"account": "DEFERRED", "amount": {"amount": "-1.000000"}},
        {"account": "SALES", "amount": {"amount": "1.000000"}},
    ]
    (cohort,) = gro["cohorts"]["edges"]
    assert cohort["node"] == {"issued": month, "use": "1.000000000", "money": {"sold": {"amount": "1.000000"}}}
    assert gro["cohorts"]["totalCount"] == 1
    assert (await grocer.run(QUERY, month=month))["liability"] == found
    assert (await fuel.run(QUERY, merchant="grocer", month=month))["liability"] is None
    (refused,) = await grocer.errors(QUERY, month="2017-6")
    assert refused["extensions"]["path"] == ["liability", "month"] or "month" in refused["message"]
