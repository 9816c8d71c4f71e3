"""A closed month as people and spreadsheets read it: money as decimal strings, in the settlement currency."""

from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from alliance.liability.queries import Cohort, Liability, Money, Points, Programme, booked
from alliance.liability.rules import WHOLE
from alliance.statements import spreadsheet
from domain.money import unscaled
from domain.programs.catalogue import MICRO_PLACES, Catalogue

PLACES = len(str(WHOLE)) - 1


def told(catalogue: Catalogue, found: Liability) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "merchant": catalogue.merchants_by_id[found.merchant_id].code,
        "month": f"{found.month:%Y-%m}",
        "endsAt": found.ends_at,
        "closedAt": found.closed_at,
        "programmes": [_programme(programme) for programme in found.programmes],
    }


def _programme(programme: Programme) -> dict[str, Any]:
    estimate = programme.estimate
    share = f"{Decimal(estimate.use).scaleb(2 - PLACES):.2f} % of new points will be used"
    known = f"known of {len(estimate.curve)} months of age"
    return {
        "currency": programme.currency,
        "principal": estimate.payable is None,
        "estimate": {
            "use": unscaled(estimate.use, PLACES),
            "by": estimate.by,
            "why": estimate.why,
            "curve": [dict(zip(("used", "ended", "atRisk", "cohorts"), step, strict=True)) for step in estimate.curve],
            "told": f"{share}, {known if estimate.by is None else f'set by {estimate.by}: {estimate.why}'}",
        },
        **_figures(programme),
        "cohorts": [{"issued": f"{cohort.issued:%Y-%m}", **_figures(cohort)} for cohort in programme.cohorts],
        "postings": {
            account.value: _money(amount)
            for account, amount in booked(programme.money, principal=estimate.payable is None).items()
            if amount
        },
    }


def _figures(part: Cohort | Programme) -> dict[str, Any]:
    return {"points": asdict(part.points), "money": shown(part.money)}


def shown(money: Money) -> dict[str, str]:
    """Each figure; what came `in` and what was `earned` at the old estimate, together; and what is not current."""
    came = money.sold + money.funded - money.taken_sold - money.taken_funded
    earned = money.redeemed + money.exchanged + money.commission
    parts = asdict(money) | {"in": came, "earned": earned, "nonCurrent": money.non_current}
    return {_camel(name): _money(amount) for name, amount in parts.items()}


def table(catalogue: Catalogue, found: Iterable[Liability]) -> str:
    """A row a cohort, as CSV."""
    points = [f"points_{name}" for name in Points.__slots__]
    rows: list[list[object]] = [["merchant", "month", "currency", "issued", *points, *Money.__slots__, "use"]]
    for one in found:
        code = catalogue.merchants_by_id[one.merchant_id].code
        for programme in one.programmes:
            for cohort in programme.cohorts:
                counted = asdict(cohort.points).values()
                amounts = [_money(amount) for amount in asdict(cohort.money).values()]
                place = [code, f"{one.month:%Y-%m}", programme.currency, f"{cohort.issued:%Y-%m}"]
                rows.append([*place, *counted, *amounts, unscaled(cohort.use, PLACES)])
    return spreadsheet.rows(rows)


def _money(micro: int) -> str:
    return unscaled(micro, MICRO_PLACES)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
