"""Where stored value is used (L4), and what is never made of it (L5)."""

from alliance.stored_value.errors import StoredValueElsewhere, StoredValueNotEarned, StoredValueNotExchanged
from domain.errors import Refusal
from domain.programs.catalogue import Catalogue, Currency, Merchant


def is_money(currency: Currency) -> bool:
    """Whether it is stored value: its smallest unit is the minor unit of a money."""
    return currency.kind == "stored_value"


def elsewhere(catalogue: Catalogue, merchant: Merchant, currency: Currency) -> Refusal | None:
    """Why a merchant may not take this currency, if it is stored value of neither its own nor its group's."""
    issuer = catalogue.merchants_by_id[currency.merchant_id]
    if not is_money(currency) or issuer.id == merchant.id:
        return None
    if issuer.group is not None and issuer.group == merchant.group:
        return None
    return StoredValueElsewhere(currency=currency.code, merchant=merchant.code, path=("currency",))


def require_earnable(currency: Currency) -> None:
    """Raises StoredValueNotEarned."""
    if is_money(currency):
        raise StoredValueNotEarned(currency=currency.code, path=("currency",))


def require_exchangeable(currency: Currency, path: str) -> None:
    """Raises StoredValueNotExchanged."""
    if is_money(currency):
        raise StoredValueNotExchanged(currency=currency.code, path=(path,))
