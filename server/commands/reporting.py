"""`tessera report NAME` for those who settle: as a table, JSON, CSV or PDF. docs/reports.md says what each counts."""

from calendar import monthrange
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import NO, AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.reporting.queries import Span
    from alliance.reporting.tables import Table
    from alliance.runtime import Runtime

    Read = Callable[[AsyncSession, Runtime, UUID | None], Awaitable[Table]]

MOST_CYCLES = 1000

Party = Annotated[str | None, typer.Option("--merchant", help="One merchant's own side [default: all].")]
Month = Annotated[
    datetime | None, typer.Option("--month", formats=["%Y-%m"], help="A month, instead of --from and --to.")
]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, in the alliance's zone.")
]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write all rows to this file.", dir_okay=False)]
Pdf = Annotated[Path | None, typer.Option("--pdf", help="Write it to this file, for print.", dir_okay=False)]
Cycles = Annotated[int, typer.Option(min=1, max=MOST_CYCLES, help="Without a span of days: the last so many cycles.")]


def cut_offs(
    merchant: Party = None,
    month: Month = None,
    first: First = None,
    last: Last = None,
    cycles: Cycles = 12,
    csv: Csv = None,
    pdf: Pdf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What each merchant owed as cycles were cut off, against its cap, and how often it came near it."""

    async def read(session: "AsyncSession", runtime: "Runtime", party: "UUID | None") -> "Table":
        from alliance.reporting import queries
        from alliance.reporting.tables import Tables
        from alliance.settlement.rules import minor_unit

        alliance = runtime.catalogue.alliance
        span = _span(month, first, last)
        found = await queries.closed(session, alliance, span, MOST_CYCLES if span else cycles)
        rows = await queries.at_close(session, found, minor_unit(alliance.settlement_currency), party)
        return Tables(runtime.catalogue).at_close(rows, _about(runtime, merchant, span))

    _report("cut-offs", merchant, read, csv, pdf, json)


def ageing(
    merchant: Party = None,
    as_of: AsOf = None,
    csv: Csv = None,
    pdf: Pdf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Claims, objections and breaks that are open, by age in business days.

    Ends with 1 where something is older than 20 of them.
    """

    async def read(session: "AsyncSession", runtime: "Runtime", party: "UUID | None") -> "Table":
        from alliance.reporting import queries
        from alliance.reporting.tables import Tables

        moment = as_of or now()
        found = await queries.ageing(session, runtime.catalogue.alliance, moment, party)
        return Tables(runtime.catalogue).ageing(found, f"{_about(runtime, merchant, None)} as of {moment:%Y-%m-%d}")

    table = _report("ageing", merchant, read, csv, pdf, json)
    if any(row["days"].startswith("from") for row in table.rows):
        raise typer.Exit(NO)


def settlement(
    merchant: Party = None,
    month: Month = None,
    first: First = None,
    last: Last = None,
    cycles: Cycles = 12,
    csv: Csv = None,
    pdf: Pdf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Cycle by cycle: gross, net of pairs, net of all, payments, what netting saved, days until it was settled."""

    async def read(session: "AsyncSession", runtime: "Runtime", party: "UUID | None") -> "Table":
        from alliance.reporting import queries
        from alliance.reporting.tables import Tables

        alliance = runtime.catalogue.alliance
        span = _span(month, first, last)
        found = await queries.closed(session, alliance, span, MOST_CYCLES if span else cycles)
        rows = await queries.history(session, alliance, found, party)
        return Tables(runtime.catalogue).history(rows, _about(runtime, merchant, span))

    _report("settlement", merchant, read, csv, pdf, json)


def zero(
    merchant: Party = None,
    month: Month = None,
    first: First = None,
    last: Last = None,
    csv: Csv = None,
    pdf: Pdf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """How many of the lines of a span were matched, settled or corrected within 4 business days."""

    async def read(session: "AsyncSession", runtime: "Runtime", party: "UUID | None") -> "Table":
        from alliance.reporting import queries
        from alliance.reporting.tables import Tables

        span = _span(month, first, last) or _this_month(runtime)
        rows = await queries.back_at_zero(session, runtime.catalogue.alliance, span, party)
        return Tables(runtime.catalogue).returned(rows, _about(runtime, merchant, span))

    _report("zero", merchant, read, csv, pdf, json)


def obligations(
    merchant: Party = None,
    month: Month = None,
    first: First = None,
    last: Last = None,
    occurred: Annotated[
        bool, typer.Option("--occurred", help="By when it happened [default: by when it was booked].")
    ] = False,
    csv: Csv = None,
    pdf: Pdf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What came to be owed in a span of days, by pair and kind, whatever cycle it fell into."""

    async def read(session: "AsyncSession", runtime: "Runtime", party: "UUID | None") -> "Table":
        from alliance.reporting import queries
        from alliance.reporting.tables import Tables

        span = _span(month, first, last) or _this_month(runtime)
        alliance = runtime.catalogue.alliance
        rows = await queries.by_kind(session, alliance, span, party, occurred=occurred)
        how = "occurred" if occurred else "booked"
        return Tables(runtime.catalogue).by_kind(rows, f"{_about(runtime, merchant, span)}, {how}")

    _report("obligations", merchant, read, csv, pdf, json)


def _span(month: datetime | None, first: datetime | None, last: datetime | None) -> "Span | None":
    """The days that were asked for; None where none were. Raises WrongUse."""
    from alliance.reporting.queries import Span

    if month is not None:
        if first is not None or last is not None:
            raise WrongUse("either --month, or --from and --to")
        return _month(month.date())
    if (first is None) != (last is None):
        raise WrongUse("--from and --to go together")
    return None if first is None or last is None else Span(first.date(), last.date())


def _this_month(runtime: "Runtime") -> "Span":
    return _month(now().astimezone(runtime.catalogue.alliance.timezone).date())


def _month(day: date) -> "Span":
    from alliance.reporting.queries import Span

    return Span(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def _about(runtime: "Runtime", merchant: str | None, span: "Span | None") -> str:
    """Of whom and when a report is, and in which money."""
    alliance = runtime.catalogue.alliance
    days = "" if span is None else f", {span.first} to {span.last}"
    return f"{merchant or alliance.name}{days}, {alliance.settlement_currency}"


def _report(name: str, merchant: str | None, read: "Read", csv: Path | None, pdf: Path | None, json: bool) -> "Table":
    """Make a report, write its files, and answer with it."""
    with servers(f"tessera report {name}") as settings:
        from domain.errors import NotFound

        async def made(runtime: "Runtime") -> "Table":
            party = None if merchant is None else runtime.catalogue.merchants.get(merchant)
            if merchant is not None and party is None:
                raise NotFound(what=f"merchant {merchant!r}")
            async with runtime.database.reader() as session:
                return await read(session, runtime, None if party is None else party.id)

        table = with_runtime(settings, made)
    if csv is not None:
        csv.write_text(table.csv(), encoding="utf-8", newline="")
    if pdf is not None:
        from alliance.reporting.pdf import pdf as printed

        pdf.write_bytes(printed(table))
    data: dict[str, Any] = {"report": name, "about": table.about, "rows": table.rows}
    shown = [{column: "" if row[column] is None else row[column] for column in table.columns} for row in table.rows]
    answer(data, json, lambda console: show_rows(console, tuple(table.columns), shown))
    return table
