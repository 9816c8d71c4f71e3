"""Mutations over the endpoint."""

from tests.schema.support import Client

EARNED = "... on Earned { points operation { id kind status } wallet { balance available } decidedBy { rule version points } }"


def by_card(card: str) -> dict[str, object]:
    return {"identifier": {"type": "CARD", "issuer": "grocer", "value": card}}


async def test_earn_by_amount(operator: Client, card: str) -> None:
    earned = await operator.do(
        "earn",
        "EarnInput",
        EARNED,
        merchant="grocer",
        member=by_card(card),
        channel="STORE",
        store="330",
        orderRef="1",
        amount={"amount": "12.50", "currency": "USD"},
    )
    assert earned["points"] == 13
