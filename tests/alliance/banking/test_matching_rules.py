"""To which payments a receipt belongs (A16), by rule."""

from datetime import date
from uuid import UUID

import pytest

from alliance.banking.rules import Awaited, Came, Due, How, Proposal

CYCLE, FUEL, CAFE = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = date(2017, 6, 9)
A = Due((CYCLE, 1), 12, 1, FUEL, 9_000, DAY, "Fuel")
B = Due((CYCLE, 2), 12, 2, FUEL, 1_000, DAY, "Fuel")
C = Due((CYCLE, 3), 12, 3, CAFE, 500, DAY, "Café")
REST = Due((CYCLE, 4), 12, 1, FUEL, 400, DAY, "Fuel")


def best(came: Came, *dues: Due) -> Proposal | None:
    return Awaited("demo", dues or (A, B, C)).best(came)


def parts(*of: tuple[Due, int]) -> tuple[tuple[tuple[UUID, int], int], ...]:
    return tuple((due.place, amount) for due, amount in of)


def test_a16_what_names_its_payment_is_sure() -> None:
    sure = Proposal(parts((A, 9_000)), How.REFERENCE, 100)
    assert best(Came(9_000, DAY, "DEMO-C12-P1")) == sure
    assert best(Came(9_000, DAY, text="invoice, demo c12/p1", payer_id=CAFE)) == sure


def test_a16_one_receipt_for_several_short_and_over() -> None:
    both = Came(10_000, DAY, text="DEMO-C12-P1 DEMO-C12-P2")
    assert best(both) == Proposal(parts((A, 9_000), (B, 1_000)), How.REFERENCE, 100)
    short = best(Came(9_300, DAY, text="DEMO-C12-P2, DEMO-C12-P1"))
    assert short == Proposal(parts((B, 1_000), (A, 8_300)), How.REFERENCE, 100)
    over = best(Came(9_500, DAY, "DEMO-C12-P1"))
    assert over == Proposal(parts((A, 9_000)), How.REFERENCE, 100)


def test_a16_the_rest_of_a_payment_is_paid_by_its_first_reference() -> None:
    rest = Proposal(parts((REST, 400)), How.REFERENCE, 100)
    assert best(Came(400, DAY, "DEMO-C12-P1"), REST, B) == rest
    assert best(Came(400, DAY, "DEMO-C12-P4"), REST, B) == rest


def test_a16_a_payer_s_account_and_the_amount_are_sure() -> None:
    assert best(Came(1_000, DAY, payer_id=FUEL)) == Proposal(parts((B, 1_000)), How.ACCOUNT, 95)
    assert best(Came(10_000, DAY, payer_id=FUEL)) == Proposal(parts((A, 9_000), (B, 1_000)), How.ACCOUNT, 95)


def test_a16_what_else_fits_is_proposed() -> None:
    some = best(Came(1_400, DAY, payer_id=FUEL), A, B, REST)
    assert some == Proposal(parts((REST, 400), (B, 1_000)), How.ACCOUNT, 90)
    assert best(Came(50, DAY, payer_id=FUEL)) == Proposal(parts((A, 50)), How.ACCOUNT, 60)
    assert best(Came(500, DAY, "DEM0-C12-P3")) == Proposal(parts((C, 500)), How.MISTYPED, 80)
    assert best(Came(500, DAY, text="DEMO 12 P3")) == Proposal(parts((C, 500)), How.MISTYPED, 80)
    assert best(Came(500, DAY, name="CAFÉ ")) == Proposal(parts((C, 500)), How.AMOUNT, 85)
    assert best(Came(500, date(2017, 6, 19))) == Proposal(parts((C, 500)), How.AMOUNT, 70)


@pytest.mark.parametrize(
    "came",
    [
        Came(500, date(2017, 6, 20)),
        Came(499, DAY),
        Came(9_000, DAY, "DEMO-C13-P1"),
        Came(500, DAY, payer_id=UUID(int=9)),
        Came(501, DAY, "DEM0-C12-P3"),
    ],
)
def test_a16_what_fits_nothing_stays_unapplied(came: Came) -> None:
    assert best(came) is None


def test_a16_a_payment_is_matched_once() -> None:
    awaited = Awaited("demo", (A, B, C))
    came = Came(9_000, DAY, "DEMO-C12-P1")
    first = awaited.best(came)
    assert first is not None
    awaited.take(first)
    assert awaited.best(came) is None
