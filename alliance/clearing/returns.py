"""What the original rules give for what is kept of an order (R18, R19)."""

from typing import Any

from domain.ledger.request import PastOperation
from domain.ledger.returns import Kept, Order, Valuing, order_of, proportional
from domain.programs.catalogue import Catalogue
from domain.programs.earning import Tariff
from domain.programs.rules import value_lines


def worth_of_kept(catalogue: Catalogue) -> Valuing:
    """Values what is kept as the merchant of the order wants it: `onReturn: reevaluate | proportional`."""

    def value(original: PastOperation, kept: Kept, currency: str) -> int:
        granted = original.granted(currency)
        merchant = catalogue.merchants_by_id.get(original.merchant_id)
        tariff = None
        if merchant is not None and merchant.on_return == "reevaluate":
            tariff = original_tariff(catalogue, original, currency)
        if tariff is None:
            return proportional(granted, kept)
        return min(granted, _value(tariff, kept.order, kept))

    return value


def original_tariff(catalogue: Catalogue, original: PastOperation, currency: str) -> Tariff | None:
    """The rules that gave an earn's points of a currency, in the very versions it names.

    They are those in force at its time, unless versions that begin in the past were published since; then they are put
    together again. None where neither gives what was given: for points that no rule decided.
    """
    decided = {
        (one["rule"], one["version"]): one["points"]
        for one in original.decisions or ()
        if _by_rule(one) and one.get("currency", currency) == currency
    }
    order = order_of(original.bought)
    merchant = catalogue.merchants_by_id[original.merchant_id]
    earning = merchant.earning.get((currency, order.money or ""))
    if not decided or earning is None:
        return None
    for tariff in (earning.at(original.occurred_at), earning.of(decided)):
        if tariff is not None and _decisions(tariff, order) == decided:
            return tariff
    return None


def _by_rule(decision: dict[str, Any]) -> bool:
    """Whether a rule decided: neither an agreement nor a limit, which takes off what rules gave, nor a law."""
    return not str(decision.get("rule", "limit:")).startswith(("limit:", "law:"))


def _decisions(tariff: Tariff, order: Order) -> dict[tuple[str, int], int]:
    total = order.total
    lines = [(line.amount, line.category) for line in order.lines]
    paid = total if order.paid is None else order.paid
    valued = value_lines(tariff, lines, paid, total)
    return {(one["rule"], one["version"]): one["points"] for one in valued.decisions}


def _value(tariff: Tariff, order: Order, kept: Kept) -> int:
    """The points of the kept part, of which as large a part was paid in money as of the whole."""
    total, share = order.total, kept.share
    paid = total if order.paid is None else order.paid
    lines = [(amount, line.category) for amount, line in zip(kept.amounts, order.lines, strict=True)]
    return value_lines(tariff, lines, paid, total, share).points
