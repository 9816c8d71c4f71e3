"""A statement as a file: what it says to whom, that it adds up, and that it never changes (A6, A9, A14)."""

from decimal import Decimal

import pytest

from alliance.statements import queries
from domain.errors import NotFound
from tests.alliance.statements.support import busy, file_of, head_of, lines, objects, table
from tests.alliance.support import NOON, House, days


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "STRETCH", 2)


@pytest.mark.usefixtures("_small")
async def test_a09_both_sides_see_the_same_lines_which_add_up(house: House) -> None:
    cycle = await busy(house)
    fuel, grocer = [await file_of(house, cycle, merchant) for merchant in ("fuel", "grocer")]
    own = {"orderRef": None, "store": None}
    assert [line | own for line in lines(fuel)] == [line | own for line in lines(grocer)]
    assert [(line["type"], line["kind"], line["debtor"], line["amount"]["amount"]) for line in lines(grocer)] == [
        ("line", "EARN", "fuel", "9.000000"),
        ("line", "EARN", "fuel", "2.997000"),
        ("line", "SPEND", "grocer", "5.400000"),
        ("line", "EXCHANGE", "grocer", "3.200000"),
        ("adjustment", "EARN", "fuel", "-2.997000"),
    ]
    *_, balance, trailer = objects(grocer)
    assert (balance["partner"], balance["lines"], balance["adjustments"]) == ("fuel", "3.397000", "-2.997000")
    assert (balance["closing"], balance["net"], balance["carried"]) == ("0.400000", "0.40", "0.000000")
    assert (trailer["count"], trailer["sum"], trailer["position"]) == (5, "0.400000", "0.40")
    assert objects(fuel)[-1]["sum"] == "-0.400000"
    first, last = lines(fuel)[0], lines(fuel)[-1]
    assert (trailer["first"], trailer["last"]) == (f"{first['reference']}-0", f"{last['reference']}-0")
    assert last["reverses"] == lines(fuel)[1]["reference"]


async def test_a09_what_rounding_leaves_opens_the_next(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 3_333)  # fuel owes grocer 29.997
    cycle = await house.through(await house.close(NOON + days(1)))
    assert objects(await file_of(house, cycle, "grocer"))[-2]["carried"] == "-0.003000"
    following = await house.step("issue_statements", await house.close(NOON + days(2)))
    head, balance, trailer = objects(await file_of(house, following, "fuel"))
    assert head["openings"] == {"grocer": "0.003000"}
    assert (balance["opening"], balance["closing"], balance["net"]) == ("0.003000", "0.003000", "0.00")
    assert (trailer["count"], trailer["sum"], trailer["closing"]) == (0, "0.000000", "0.003000")


async def test_a14_each_sees_its_own_order_and_names_that_only_the_two_share(house: House) -> None:
    cycle = await busy(house)
    fuel, grocer = [await file_of(house, cycle, merchant) for merchant in ("fuel", "grocer")]
    assert [line["orderRef"] for line in lines(fuel)][:3] == ["f-1", "f-2", "f-3"]
    assert lines(fuel)[0]["store"] == "1"
    assert {(line["orderRef"], line["store"]) for line in lines(grocer)} == {(None, None)}
    members = [line["member"] for line in lines(grocer)]
    assert (len(set(members)), members[0], members[1]) == (2, members[2], members[4])
    for row in await house.obligations():
        assert str(row.holder_id).encode() not in fuel
        assert str(row.operation_id).encode() not in grocer


async def test_a14_a_member_keeps_its_name_in_a_pair_and_has_another_in_another(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 100)
    first = await house.through(await house.close(NOON + days(1)))
    await house.earn(member, "fuel", 100)
    second = await house.through(await house.close(NOON + days(2)))
    named = {line["member"] for cycle in (first, second) for line in lines(await file_of(house, cycle, "grocer"))}
    assert len(named) == 1
    names = await queries.pseudonyms(house.runtime.database)
    fuel, grocer, operator = (house.id(code) for code in ("fuel", "grocer", "operator"))
    assert named == {names.member(fuel, grocer, member)} == {names.member(grocer, fuel, member)}
    assert named != {names.member(fuel, operator, member)}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
async def test_a09_a_statement_that_was_issued_never_changes(house: House, kind: str) -> None:
    cycle = await busy(house)
    before = await file_of(house, cycle, "fuel", kind)
    later = await house.member()
    await house.earn(later, "fuel", 77)
    assert await file_of(house, cycle, "fuel", kind) == before
    for step in ("confirm_statement", "net_cycle", "abort_cycle"):
        await house.step(step, cycle)
        assert await file_of(house, cycle, "fuel", kind) == before


async def test_csv_adds_up_from_opening_to_closing(house: House) -> None:
    rows = table(await file_of(house, await busy(house), "fuel", "csv"))
    moved = [Decimal(row["change"]) for row in rows if row["type"] in ("opening", "line", "adjustment")]
    assert {row["type"]: row["change"] for row in rows if row["type"] in ("closing", "net", "carried")} == {
        "closing": f"{sum(moved):f}",
        "net": "-0.40",
        "carried": "0.000000",
    }
    assert {row["partner"] for row in rows} == {"grocer"}


async def test_csv_holds_nothing_that_a_spreadsheet_would_run(house: House) -> None:
    await house.earn(await house.member(), "fuel", 100, order_ref="=1+1")
    cycle = await house.step("issue_statements", await house.close(NOON + days(1)))
    assert [row["orderRef"] for row in table(await file_of(house, cycle, "fuel", "csv"))][1] == "'=1+1"


async def test_there_is_no_file_of_what_was_not_issued(house: House) -> None:
    await house.earn(await house.member(), "fuel", 100)
    cycle = await house.close(NOON + days(1))
    with pytest.raises(NotFound):
        await head_of(house, cycle, "fuel")
