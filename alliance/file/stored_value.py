"""What a file may not say about stored value: the law (L4), and that nothing is cashed out (L5)."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from alliance.file.agreement import Agreement
from alliance.file.model import AllianceDocument, Currency, CurrencyTerms, Merchant
from alliance.file.source import Path
from domain.money import exponent
from domain.programs.earning import BOUGHT_VALUE
from domain.programs.prepaid import card_limits

Faults = Iterator[tuple[Path, str]]
Places = Mapping[int, Path]


def forbidden(document: AllianceDocument, places: Places) -> Faults:
    """Where the file goes too far, and why. `places` are the paths of the document's list items, by identity."""
    owners = {
        currency.code: merchant
        for merchant in document.merchants
        for currency in merchant.currencies
        if currency.kind == "stored_value"
    }
    for merchant in document.merchants:
        for currency in merchant.currencies:
            if currency.code in owners:
                for terms in (currency, *currency.policies):
                    yield from _terms(merchant, currency, terms, places[id(terms)])
        for rule in merchant.earning:
            path = places[id(rule)]
            if rule.currency in owners:
                yield (*path, "currency"), "stored value is paid for, not earned"
            if rule.when is not None and BOUGHT_VALUE in (rule.when.category or ()):
                yield (
                    (*path, "when", "category"),
                    f"lines of category {BOUGHT_VALUE} buy stored value: they earn nothing",
                )
    groups = {merchant.code: merchant.settings.group for merchant in document.merchants}
    for agreement in document.agreements:
        yield from _agreement(agreement, owners, groups, places)


def _terms(merchant: Merchant, currency: Currency, terms: CurrencyTerms, path: Path) -> Faults:
    """Stored value is money, in the minor units of one currency that never changes."""
    worth, first = terms.worth, currency.worth
    if worth is None or Decimal(worth.amount) != Decimal(1).scaleb(-exponent(worth.currency)):
        yield (*path, "worth"), "stored value is worth one minor unit of its money, such as 0.01 USD"
    elif first is not None and worth.currency != first.currency:
        yield (*path, "worth", "currency"), f"stored value stays in the money it was paid in, {first.currency}"
    if terms.negative != "never":
        yield (*path, "negative"), "stored value is never owed"
    if terms.gifts.allowed:
        yield (*path, "gifts", "allowed"), "stored value is not given on"
    limits = card_limits(merchant.jurisdiction)
    if limits is not None and worth is not None and worth.currency != limits.money:
        yield (*path, "worth", "currency"), f"must be {limits.money}: {limits.code} limits cards ({limits.clause})"


def _agreement(
    agreement: Agreement, owners: Mapping[str, Merchant], groups: Mapping[str, str | None], places: Places
) -> Faults:
    """Stored value is taken only within its issuer's group."""
    for redeem in agreement.redeem:
        if redeem.of in owners:
            group = owners[redeem.of].settings.group
            if group is None or groups.get(redeem.at) != group:
                yield (*places[id(redeem)], "of"), "stored value is used only at its issuer and its group"
