"""What draws on a subsidy, as a rider of the posting that issues the points."""

from datetime import datetime
from functools import partial

from alliance.agreements.book import AgreementBook, AgreementVersion
from alliance.subsidies.riders import Drawing
from alliance.subsidies.rules import below_price
from domain.ledger.request import Rider


def drawing(
    book: AgreementBook, version: AgreementVersion, currency: str, got: int, moment: datetime
) -> tuple[Rider, ...]:
    """Rides on a grant of `currency` for `got` millionths a point: what it draws at what is paid at `moment`."""
    budget = version.subsidies.get(currency)
    if budget is None or (paid := book.dearest(currency, moment)) <= got:
        return ()
    amount = partial(below_price, paid=paid, got=got)
    return (Drawing((version.agreement_id, version.version, currency), budget, amount),)


def drawing_exchanged(
    book: AgreementBook, version: AgreementVersion, currency: str, points: int, got: int, moment: datetime
) -> tuple[Rider, ...]:
    """As `drawing`, of an exchange that brings `got` millionths for all of its `points`."""
    budget = version.subsidies.get(currency)
    if budget is None or (amount := points * book.dearest(currency, moment) - got) <= 0:
        return ()
    return (Drawing((version.agreement_id, version.version, currency), budget, lambda _: amount, points),)
