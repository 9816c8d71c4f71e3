"""Scalars take what the contract says, and nothing else; errors name the code and the path."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from schema import scalars
from schema.scalars import BadInput
from tests.schema.support import Client, by_card

MOST = 2**53 - 1


@pytest.mark.parametrize(("value", "points"), [(0, 0), ("7", 7), ("-7", -7), (MOST, MOST), (str(-MOST), -MOST)])
def test_points(value: object, points: int) -> None:
    assert scalars.parse_points(value) == points
    assert scalars.serialize_points(points) == points


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.0,
        1e400,
        float("nan"),
        "1.0",
        "1e3",
        "",
        " 1",
        "１",
        "+1",
        None,
        MOST + 1,
        2**63,
        str(2**63),
        "9" * 30,
        [1],
    ],
)
def test_no_points(value: object) -> None:
    with pytest.raises(BadInput):
        scalars.parse_points(value)


def test_points_beyond_what_clients_read_are_a_fault() -> None:
    with pytest.raises(ValueError, match="2\\^53"):
        scalars.serialize_points(MOST + 1)


@pytest.mark.parametrize("value", ["0", "12.50", "-0.01", "1" * 18])
def test_decimal(value: str) -> None:
    assert scalars.parse_decimal(value) == value


@pytest.mark.parametrize(
    "value", [1, 1.5, "NaN", "Infinity", "1e400", "1,5", ".5", "5.", "", "١", True, "1" * 19, "1_000"]
)
def test_no_decimal(value: object) -> None:
    with pytest.raises(BadInput):
        scalars.parse_decimal(value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2017-01-01T11:53:26-05:00", datetime(2017, 1, 1, 16, 53, 26, tzinfo=UTC)),
        ("2017-01-01T16:53:26Z", datetime(2017, 1, 1, 16, 53, 26, tzinfo=UTC)),
        ("2017-01-01t16:53:26.123456z", datetime(2017, 1, 1, 16, 53, 26, 123456, tzinfo=UTC)),
    ],
)
def test_datetime(value: str, moment: datetime) -> None:
    assert scalars.parse_datetime(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        "2017-01-01T16:53:26",
        "2017-01-01",
        "2017-02-30T00:00:00Z",
        "2017-01-01T25:00:00Z",
        1483289606,
        "now",
        "0001-01-01T00:00:00+14:00",
        "2017-01-01 16:53:26Z",
    ],
)
def test_no_datetime(value: object) -> None:
    with pytest.raises(BadInput):
        scalars.parse_datetime(value)


def test_date_and_currency_code() -> None:
    assert scalars.parse_date("2017-01-31") == date(2017, 1, 31)
    assert scalars.parse_currency_code("USD") == "USD"
    for parse, value in ((scalars.parse_date, "2017-02-30"), (scalars.parse_date, 1), (scalars.parse_date, "20170101")):
        with pytest.raises(BadInput):
            parse(value)
    for value in ("usd", "US", "USDX", 840):
        with pytest.raises(BadInput):
            scalars.parse_currency_code(value)


EARN = "mutation ($input: EarnInput!) { earn(input: $input) { __typename } }"


def earn_input(**more: Any) -> dict[str, Any]:
    return {"idempotencyKey": "x" * 8, "merchant": "grocer", "member": by_card("1"), "channel": "STORE", **more}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"points": 1.5}, ["input", "points"]),
        ({"points": True}, ["input", "points"]),
        ({"points": 2**63}, ["input", "points"]),
        ({"amount": {"amount": 1, "currency": "USD"}}, ["input", "amount", "amount"]),
        ({"amount": {"amount": "1", "currency": "usd"}}, ["input", "amount", "currency"]),
        ({"lines": [{"amount": {"amount": "NaN", "currency": "USD"}}]}, ["input", "lines", "0", "amount", "amount"]),
        ({"occurredAt": "2017-01-01T00:00:00"}, ["input", "occurredAt"]),
        ({"channel": "BEACH"}, ["input", "channel"]),
        ({"member": {}}, ["input", "member"]),
        ({"member": {"id": "x", "number": "1"}}, ["input", "member"]),
        ({"merchant": None}, ["input", "merchant"]),
        ({"nonsense": 1}, ["input"]),
    ],
)
async def test_what_is_refused_in_variables(operator: Client, more: dict[str, Any], path: list[str]) -> None:
    response = await operator.post(EARN, {"input": earn_input(**more)})
    assert response.status_code == 400
    body = response.json()
    assert body.keys() == {"errors"}
    assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}
    assert path in [error["extensions"]["path"] for error in body["errors"]]


async def test_values_are_not_sent_back(operator: Client) -> None:
    more = {"member": {"identifier": {"type": "PHONE", "value": "+16145550100", "secret": 1}}, "points": 1}
    response = await operator.post(EARN, {"input": earn_input(**more)})
    assert response.status_code == 400
    assert "6145550100" not in response.text


async def test_what_is_refused_in_the_document(operator: Client) -> None:
    query = (
        'mutation { earn(input: {idempotencyKey: "xxxxxxxx", merchant: "grocer", channel: STORE, '
        'points: %s, member: {number: "1"}}) { __typename } }'
    )
    for literal in ("1.5", "true", '"1e3"', str(2**63), "9" * 5000):
        (error,) = await operator.errors(query % literal)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "path": ["input", "points"]}, literal
        assert len(error["message"]) < 400
    fine = await operator.run(query % '"5"')
    assert fine["earn"]["__typename"] == "NotFound"
