"""What of an operation comes back, as it was sent."""

from domain.errors import InvalidInput
from domain.ledger.returns import QUANTITY_PLACES, Asked
from domain.money import scaled, to_minor
from resolvers.sent import Sent

MAX_LINES = 1000


def asked(sent: Sent) -> Asked:
    """At most one of lines, amount and points; none of them is all that is left. Raises InvalidInput."""
    given = [name for name in ("lines", "amount", "points") if sent.get(name) is not None]
    if len(given) > 1:
        raise InvalidInput(reason="give at most one of lines, amount and points", path=(given[1],))
    if given == ["lines"]:
        lines = sent["lines"]
        if not 1 <= len(lines) <= MAX_LINES:
            raise InvalidInput(reason=f"give 1 to {MAX_LINES} lines", path=("lines",))
        return Asked(lines=tuple((line["ref"], _quantity(line, place)) for place, line in enumerate(lines)))
    if given == ["amount"]:
        money = sent["amount"]["currency"]
        try:
            return Asked(amount=to_minor(sent["amount"]["amount"], money), money=money)
        except InvalidInput as refusal:
            raise refusal.at("amount", *(() if refusal.path else ("amount",))) from None
    return Asked(points=sent["points"]) if given else Asked()


def _quantity(line: Sent, place: int) -> int | None:
    if line.get("quantity") is None:
        return None
    try:
        return scaled(line["quantity"], QUANTITY_PLACES)
    except InvalidInput as refusal:
        raise refusal.at("lines", str(place), "quantity") from None
