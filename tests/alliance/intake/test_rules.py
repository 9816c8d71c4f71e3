"""A feed's line, before the database: what is taken, and how precisely the rest is refused."""

import json
from typing import Any

import pytest

from alliance.intake import rules
from alliance.intake.errors import MalformedLine
from alliance.intake.model import Purchase, Return
from domain.errors import InvalidInput


def line(**changes: Any) -> bytes:
    """A good purchase, with changes; None leaves a field out."""
    sent = {
        "key": "pos-330-1",
        "merchant": "grocer",
        "member": {"type": "CARD", "value": "900"},
        "channel": "STORE",
        "occurredAt": "2017-01-01T11:53:26-05:00",
        "lines": [{"ref": "1", "category": "PASTRY", "amount": {"amount": "0.50", "currency": "USD"}}],
    } | changes
    return json.dumps({name: value for name, value in sent.items() if value is not None}).encode()


def money(amount: Any, currency: str = "USD") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def test_a_purchase_becomes_integers() -> None:
    purchase = rules.parse(
        line(tenders=[{"kind": "MONEY", "amount": money("0.3")}, {"kind": "COUPON", "amount": money("0.20")}])
    )

    assert isinstance(purchase, Purchase)
    order = rules.order_of(purchase)
    assert (order.money, order.lines, order.tenders) == ("USD", [(50, "PASTRY")], [("MONEY", 30), ("COUPON", 20)])


def test_points_may_be_digits_or_an_integer() -> None:
    for points in (7, "7"):
        purchase = rules.parse(line(lines=None, points=points))
        assert isinstance(purchase, Purchase)
        assert rules.order_of(purchase).points == 7


def test_a_return_is_told_by_its_type() -> None:
    back = rules.parse(line(type="RETURN", of="4711", restore=True, lines=None))

    assert isinstance(back, Return)
    assert (back.of, back.restore) == ("4711", True)


def test_the_word_return_elsewhere_is_no_return() -> None:
    assert isinstance(rules.parse(line(orderRef="RETURN")), Purchase)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (line(key=None), "key"),
        (line(key="short"), "key"),
        (line(key=7), "key"),
        (line(channel="FAX"), "channel"),
        (line(occurredAt="2017-01-01T11:53:26"), "occurredAt"),
        (line(occurredAt="1066-10-14T09:00:00Z"), "occurredAt"),
        (line(colour="red"), "colour"),
        (line(member={"type": "CARD"}), "member.value"),
        (line(lines=[{"amount": money(0.5)}]), "lines.0.amount.amount"),
        (line(lines=[{"amount": money("1")}, {"amount": money(5)}]), "lines.1.amount.amount"),
        (line(lines=[]), "lines"),
        (line(lines=None), ""),
        (line(points=5), ""),
        (line(lines=None, points=-5), "points"),
        (line(lines=None, points=2**63), "points"),
        (line(lines=None, points=1.5), "points"),
        (line(lines=[{"amount": money("1"), "quantity": "-1"}]), "lines.0.quantity"),
        (line(lines=[{"amount": money("1"), "quantity": "NaN"}]), "lines.0.quantity"),
        (line(store="a\0b"), "store"),
        (line(lines=[{"sku": "\0", "amount": money("1")}]), "lines.0.sku"),
        (line(type="RETURN", restore=True, lines=None), "of"),
        (line(type="RETURN", of="1", lines=None), "restore"),
        (line(type="GIFT"), "type"),
    ],
)
def test_a_field_of_the_wrong_form_is_refused_with_its_path(raw: bytes, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.parse(raw)
    assert ".".join(refused.value.path) == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"lines": [{"amount": money("NaN")}]}, "lines.0.amount.amount"),
        ({"lines": [{"amount": money("1"), "ref": "1"}, {"amount": money("-1")}]}, "lines.1.amount.amount"),
        ({"lines": [{"amount": money("Infinity")}]}, "lines.0.amount.amount"),
        ({"lines": [{"amount": money("1e400")}]}, "lines.0.amount.amount"),
        ({"lines": [{"amount": money("0.001")}]}, "lines.0.amount.amount"),
        ({"lines": [{"amount": money(str(2**63))}]}, "lines.0.amount.amount"),
        ({"lines": [{"amount": money("1", "XQZ")}]}, "lines.0.amount.currency"),
        ({"lines": [{"amount": money("1")}, {"amount": money("1", "EUR")}]}, "lines.1.amount.currency"),
        ({"lines": None, "amount": money("-0.01")}, "amount.amount"),
        ({"tenders": [{"kind": "MONEY", "amount": money("1", "EUR")}]}, "tenders.0.amount.currency"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_its_path(changes: dict[str, Any], path: str) -> None:
    purchase = rules.parse(line(**changes))
    assert isinstance(purchase, Purchase)

    with pytest.raises(InvalidInput) as refused:
        rules.order_of(purchase)
    assert ".".join(refused.value.path) == path


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"hello",
        b'{"key": NaN}',
        b'{"key": "\xff"}',
        b'{"key": "\\ud800"}',
        line() + b"}",
        b'{"x": "RETURN", "lines": ' + b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(MalformedLine):
        rules.parse(raw)


def test_a_refused_line_keeps_its_key_where_one_can_be_read() -> None:
    assert rules.key_of(line(channel="FAX")) == "pos-330-1"
    assert rules.key_of(b'{"key": 7}') is None
    assert rules.key_of(b"{") is None
