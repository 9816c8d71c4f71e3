"""`tessera report breakage`: points that ended, and what that was worth."""

import csv
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

COLUMNS = ("month", "currency", "issuer", "funder", "points", "value", "owed", "money")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2027-03-01") from None


def _month(text: str) -> date:
    return _day(f"{text}-01")


def breakage(
    month: Annotated[date | None, typer.Option(parser=_month, metavar="MONTH", help="Such as 2027-03.")] = None,
    from_: Annotated[date | None, typer.Option("--from", parser=_day, metavar="DAY", help="The first day.")] = None,
    to: Annotated[
        date | None, typer.Option("--to", parser=_day, metavar="DAY", help="The first day that does not count.")
    ] = None,
    merchant: Annotated[
        str | None, typer.Option(help="What this merchant issued or paid for, by its code [default: all].")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Points that ended, less those brought back: by currency, issuer, funder and month of the issuer, with what they
    were issued at, and what the funder comes to owe the issuer (below zero: the issuer the funder)."""
    if as_csv and json:
        raise WrongUse("give --csv or --json, not both")
    first, before = _span(month, from_, to)
    with servers("tessera report breakage") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            return await _read(runtime, first, before, merchant)

        rows = with_runtime(settings, read)
    if as_csv:
        lines = csv.DictWriter(sys.stdout, COLUMNS)
        lines.writeheader()
        lines.writerows(rows)
        return
    data = {"from": first.isoformat(), "to": before.isoformat(), "breakage": rows}
    answer(data, json, lambda console: show_rows(console, COLUMNS, rows))


def _span(month: date | None, from_: date | None, to: date | None) -> tuple[date, date]:
    if month is not None and from_ is None and to is None:
        return month, (month + timedelta(days=32)).replace(day=1)
    if month is None and from_ is not None and to is not None:
        return from_, to
    raise WrongUse("give --month, or --from and --to")


async def _read(runtime: "Runtime", first: date, before: date, merchant: str | None) -> list[dict[str, Any]]:
    from alliance.clearing.breakage import breakage as read
    from domain.money import unscaled

    catalogue = runtime.catalogue
    if merchant is not None and merchant not in catalogue.merchants:
        raise Failure(f"there is no merchant {merchant!r}", exit_code=NO, code="NOT_FOUND")
    async with runtime.database.session() as session:
        found = await read(session, first, before, None if merchant is None else catalogue.merchants[merchant].id)
    return [
        {
            "month": row.month,
            "currency": row.currency,
            "issuer": catalogue.merchants_by_id[row.issuer_id].code,
            "funder": catalogue.merchants_by_id[row.funder_id].code,
            "points": row.points,
            "value": unscaled(row.value, 8),
            "owed": unscaled(row.owed, 6),
            "money": catalogue.alliance.settlement_currency,
        }
        for row in found
    ]
