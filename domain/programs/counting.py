"""What entries and obligations are counted in: points, or uses of a kind of right."""

from domain.programs.benefits import currency_of
from domain.programs.catalogue import Catalogue, Currency, CurrencyPolicy, ExpiryPolicy

_PLAIN = CurrencyPolicy(1, None, None, None, None, ExpiryPolicy("never"), 0)


def counted(catalogue: Catalogue, code: str) -> Currency:
    """The points of that code; for a right what its uses are counted in, of kind "rights". Raises KeyError."""
    if (points := catalogue.currencies.get(code)) is not None:
        return points
    for merchant in catalogue.merchants.values():
        for benefit in merchant.benefits.values():
            if currency_of(merchant.code, benefit.code) == code:
                return Currency(code, merchant.id, "rights", benefit.name, 0, (_PLAIN,))
    raise KeyError(code)
