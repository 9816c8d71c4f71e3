"""Member numbers and the one spelling of identifiers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput, NotFound
from domain.members.model import IdentifierRef
from domain.members.rules import check_digit, identifier_key, mask, member_number, merchant_of, serial_of
from domain.programs.catalogue import Catalogue

SERIALS = st.integers(min_value=1_000_000_000, max_value=10**18 - 1)


def test_check_digit_of_published_examples() -> None:
    assert check_digit("7992739871") == "3"
    assert check_digit("401288888888188") == "1"


@given(SERIALS)
def test_number_leads_back_to_its_serial(serial: int) -> None:
    number = member_number(serial)
    assert serial_of(number) == serial
    assert serial_of(f" {number[:4]} {number[4:]}") == serial


@given(SERIALS, st.data())
def test_one_wrong_digit_is_noticed(serial: int, data: st.DataObject) -> None:
    number = member_number(serial)
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert serial_of(number[:place] + wrong + number[place + 1 :]) is None


@pytest.mark.parametrize("number", ["", "7", "abc", "-18", "٤٢", "0018", "1" * 40, "79927398713.0"])
def test_no_number(number: str) -> None:
    assert serial_of(number) is None


@given(st.text(min_size=1, max_size=40))
def test_mask_shows_four_at_most_and_never_more_than_half(value: str) -> None:
    shown = mask(value).removeprefix("•••")
    assert value.endswith(shown)
    assert len(shown) == min(4, len(value) // 2)


@pytest.mark.parametrize(
    ("merchant", "ref", "key"),
    [
        ("grocer", ("CARD", None, " 900 "), ("CARD", "grocer", "900")),
        ("fuel", ("CARD", None, "900"), ("CARD", "fuel", "900")),
        ("fuel", ("CARD", "grocer", "900"), ("CARD", "grocer", "900")),
        ("grocer", ("CARD", None, "ab C"), ("CARD", "grocer", "ab C")),
        ("grocer", ("PHONE", None, "(614) 555-0100"), ("PHONE", "", "+16145550100")),
        ("fuel", ("PHONE", "whoever", "+1 614 555 0100"), ("PHONE", "", "+16145550100")),
        ("fuel", ("PHONE", None, "138 0013 8000"), ("PHONE", "", "+8613800138000")),
        ("grocer", ("EMAIL", None, " Ann.B@Example.COM"), ("EMAIL", "", "ann.b@example.com")),
        ("grocer", ("OPENID", "wx1", "oX"), ("OPENID", "wx1", "oX")),
        ("grocer", ("STATE_ID", None, "Zoe\u0308"), ("STATE_ID", "ohio", "Zoë")),
        ("grocer", ("STATE_ID", "ohio", "1"), ("STATE_ID", "ohio", "1")),
        ("grocer", ("PARTNER", "wing", "ab-12 34"), ("PARTNER", "wing", "AB1234")),
        ("grocer", ("COUPON_BOOK", None, "0012.34/5"), ("COUPON_BOOK", "", "0012345")),
        ("grocer", ("TAG", None, "04:a2:2b"), ("TAG", "", "04A22B")),
        ("grocer", ("DEVICE", None, "Straße-A"), ("DEVICE", "", "strasse-a")),
    ],
)
def test_one_spelling(
    catalogue: Catalogue, merchant: str, ref: tuple[str, str | None, str], key: tuple[str, str, str]
) -> None:
    assert identifier_key(catalogue, catalogue.merchants[merchant], IdentifierRef(*ref)) == key


@pytest.mark.parametrize(
    ("ref", "path", "reason"),
    [
        (("LOYALTY", None, "1"), "type", "'LOYALTY' is not a declared"),
        (("CARD", "nobody", "1"), "issuer", "'nobody' does not issue CARD"),
        (("STATE_ID", "texas", "1"), "issuer", "'texas' does not issue STATE_ID"),
        (("OPENID", None, "1"), "issuer", "needs its issuer"),
        (("OPENID", "", "1"), "issuer", "1 to 200"),
        (("CARD", None, "  "), "value", "1 to 200"),
        (("CARD", None, "1" * 201), "value", "1 to 200"),
        (("CARD", None, "1\x002"), "value", "print"),
        (("CARD", None, "1\ud800"), "value", "print"),
        (("PHONE", None, "hello"), "value", "not a telephone number"),
        (("PHONE", None, "+1 614"), "value", "not a possible telephone number"),
        (("EMAIL", None, "ann at example.com"), "value", "not an e-mail address"),
        (("PARTNER", "wing", "12*4"), "value", "letters and digits"),
        (("COUPON_BOOK", None, "12a"), "value", "must be digits"),
        (("TAG", None, "04A"), "value", "pairs of hexadecimal"),
        (("TAG", None, "--"), "value", "pairs of hexadecimal"),
    ],
)
def test_what_cannot_be_an_identifier(
    catalogue: Catalogue, ref: tuple[str, str | None, str], path: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(reason)) as refused:
        identifier_key(catalogue, catalogue.merchants["grocer"], IdentifierRef(*ref))
    assert refused.value.path == (path,)


def test_merchant_that_is_not_there(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        merchant_of(catalogue, "nobody")
