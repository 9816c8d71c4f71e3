"""What a file may not say about forced exits (R13)."""

from collections.abc import Iterator, Mapping

from alliance.file.model import AllianceDocument, Currency, CurrencyTerms, Merchant
from alliance.file.source import Path
from domain.programs.prepaid import forbids_forced_exit

Faults = Iterator[tuple[Path, str]]


def forbidden_exits(document: AllianceDocument, places: Mapping[int, Path]) -> Faults:
    """Where the file goes too far, and why. `places` are the paths of the document's list items, by identity."""
    taken_elsewhere = {redeem.of for agreement in document.agreements for redeem in agreement.redeem}
    for merchant in document.merchants:
        own = {currency.code: currency for currency in merchant.currencies}
        for currency in merchant.currencies:
            for terms in (currency, *currency.policies):
                if terms.forced_exit is not None:
                    path = (*places[id(terms)], "forcedExit")
                    yield from _exit(merchant, currency, terms, own, path)
                    if terms.forced_exit.into in taken_elsewhere:
                        yield (*path, "into"), "change is of use at its issuer only, and an agreement has it elsewhere"


def _exit(
    merchant: Merchant, currency: Currency, terms: CurrencyTerms, own: Mapping[str, Currency], path: Path
) -> Faults:
    assert terms.forced_exit is not None
    reason = forbids_forced_exit(merchant.jurisdiction)
    if reason:
        yield path, reason
    if currency.kind != "points":
        yield path, "only points are sold so"
    if terms.worth is None:
        yield path, "points are sold at their worth: publish it"
    into = own.get(terms.forced_exit.into)
    if into is None or into.kind != "stored_value":
        yield (*path, "into"), "must be stored value of the same merchant"
    elif into.worth is not None and terms.worth is not None and into.worth.currency != terms.worth.currency:
        yield (*path, "into"), f"must be in {terms.worth.currency}, as worth is"
