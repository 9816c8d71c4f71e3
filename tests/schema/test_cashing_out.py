"""L5 over the endpoint: rings of gifts, and who may see them."""

from typing import Any

from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_gifts import earn, give, other

__all__ = ["other"]

RINGS = (
    "query ($since: DateTime!, $longest: Int! = 5) { giftRings(since: $since, longest: $longest) { "
    "members { number } currency { code } points given gifts firstAt lastAt } }"
)


async def test_l05_rings_are_reported(
    anonymous: Client, operator: Client, grocer: Client, card: str, other: str
) -> None:
    await earn(operator, card, 100)
    await give(operator, card, by_card(other), 100)
    await give(operator, other, by_card(card), 60)
    since = NOW.isoformat()
    auditor = anonymous.signed_in(viewer_of("auditor"))
    [ring] = (await auditor.run(RINGS, since=since))["giftRings"]
    assert len({member["number"] for member in ring.pop("members")}) == 2
    assert ring | {"firstAt": "", "lastAt": ""} == {
        "currency": {"code": "GRO"}, "points": 60, "given": 160, "gifts": 2, "firstAt": "", "lastAt": ""
    }  # fmt: skip
    for wrong in (1, 9):
        errors: Any = await auditor.errors(RINGS, since=since, longest=wrong)
        assert errors[0]["extensions"]["code"] == "BAD_USER_INPUT"
    denied = await grocer.errors(RINGS, since=since)
    assert denied[0]["extensions"]["code"] == "FORBIDDEN"
