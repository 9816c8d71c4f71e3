"""`tessera report balances`: what all wallets hold, now or at a past instant."""

import csv
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import NO, AsOf, Failure, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime

FIGURES = ("outstanding", "held", "pending", "debt", "holders")


def balances(
    as_of: AsOf = None,
    merchant: Annotated[str | None, typer.Option(help="The code of a merchant [default: all].")] = None,
    by_clock: Annotated[
        bool, typer.Option("--by-clock", help="The past by the clock that calls set (replays), not by booking.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line a month in which points end.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Points outstanding of every currency, by issuer and by the month in which they end."""
    if as_csv and json:
        raise WrongUse("give --csv or --json, not both")
    moment = as_of or now()
    with servers("tessera report balances") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            return await _read(runtime, merchant, moment, by_clock)

        rows = with_runtime(settings, read)
    if as_csv:
        _write(rows)
        return
    answer({"asOf": moment.isoformat(), "balances": rows}, json, lambda console: _show(console, rows))


async def _read(runtime: "Runtime", merchant: str | None, as_of: Any, by_clock: bool) -> list[dict[str, Any]]:
    from domain.ledger.reports import balances as read

    catalogue = runtime.catalogue
    if merchant is not None and merchant not in catalogue.merchants:
        raise Failure(f"there is no merchant {merchant!r}", exit_code=NO, code="NOT_FOUND")
    issuers = {code: catalogue.issuer_of(code) for code in catalogue.currencies}
    zones = {code: one.timezone.key for code, one in issuers.items() if merchant in (None, one.code)}
    async with runtime.database.session() as session:
        found = await read(session, zones, as_of, "as_of" if by_clock else "booked_at")
    return [
        {"merchant": issuers[row.currency].code, "currency": row.currency}
        | {name: getattr(row, name) for name in FIGURES}
        | {"ending": [{"month": month or None, "points": points} for month, points in row.ending.items()]}
        for row in found
    ]


def _write(rows: list[dict[str, Any]]) -> None:
    lines = csv.writer(sys.stdout)
    lines.writerow(("merchant", "currency", *FIGURES, "month", "ending"))
    for row in rows:
        for end in row["ending"] or [{"month": None, "points": 0}]:
            figures = (row[name] for name in FIGURES)
            lines.writerow((row["merchant"], row["currency"], *figures, end["month"] or "never", end["points"]))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("merchant", "currency", *FIGURES, "ending")
    for row in rows:
        ends = ", ".join(f"{end['month'] or 'never'}: {end['points']}" for end in row["ending"])
        table.add_row(row["merchant"], row["currency"], *(str(row[name]) for name in FIGURES), ends)
    console.print(table)
