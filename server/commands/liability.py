"""`tessera report liability`: what issuers still owe for points that are out, at a month's end."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from server.commands.common import NO, AsOf, Failure, Home, Json, WrongUse, answer, now, say, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.liability.queries import Liability
    from alliance.runtime import Runtime
    from domain.programs.catalogue import Catalogue


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a month such as 2027-03") from None


def liability(
    merchant: Annotated[str | None, typer.Option(help="Of one issuer, by its code [default: all].")] = None,
    month: Annotated[
        date | None,
        typer.Option(parser=_month, metavar="MONTH", help="Such as 2027-03 [default: the last that is over]."),
    ] = None,
    as_of: AsOf = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Close nothing; also the month that it is is shown, as far as it has come."),
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row a cohort.")] = False,
    pdf: Annotated[Path | None, typer.Option(help="Write a PDF instead, of one merchant.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What is deferred for points that are out, by month of issue, and how that came from the month before.

    Months that are over and not closed are closed first: a closed one never changes. Ends with 1 where the month is not
    over yet.
    """
    if as_csv + json + (pdf is not None) > 1:
        raise WrongUse("give one of --csv, --json and --pdf")
    if pdf is not None and merchant is None:
        raise WrongUse("--pdf is of one merchant: give --merchant")
    with servers("tessera report liability") as settings:
        from alliance.liability import sheet

        async def read(runtime: "Runtime") -> "tuple[Catalogue, list[Liability]]":
            return runtime.catalogue, await _read(runtime, merchant, month, dry_run, as_of)

        catalogue, found = with_runtime(settings, read)
    if as_csv:
        sys.stdout.write(sheet.table(catalogue, found))
    elif pdf is not None:
        from alliance.liability.pdf import printed

        pdf.write_bytes(printed(catalogue, found[0]))
        say(f"written: {pdf}")
    else:
        rows = [sheet.told(catalogue, one) for one in found]
        data = {"money": catalogue.alliance.settlement_currency, "liability": rows}
        answer(data, json, lambda console: _show(console, rows))


async def _read(
    runtime: "Runtime", merchant: str | None, month: date | None, dry_run: bool, as_of: Any
) -> "list[Liability]":
    from alliance.liability import months
    from alliance.liability.closing import close_months
    from alliance.liability.queries import liability

    catalogue, moment = runtime.catalogue, as_of or now()
    if merchant is not None and merchant not in catalogue.merchants:
        raise Failure(f"there is no merchant {merchant!r}", exit_code=NO, code="NOT_FOUND")
    chosen = [code for code in catalogue.merchants if merchant in (None, code)]
    found = []
    async with runtime.database.session() as session:
        await close_months(
            session,
            catalogue,
            moment,
            merchants=chosen,
            month=month,
            unfinished=dry_run,
            progress=lambda step, done, total: say(f"{done} of {total}: {step}"),
        )
        for code in chosen:
            issuer = catalogue.merchants[code]
            over = months.last_over(moment, issuer.timezone)
            one = await liability(session, issuer.id, month or (months.after(over) if dry_run else over))
            if one is not None:
                found.append(one)
        await (session.rollback() if dry_run else session.commit())
    if not found:
        raise Failure("no such month is closed", exit_code=NO, code="NOT_FOUND")
    return found


def _show(console: Console, found: list[dict[str, Any]]) -> None:
    for one in found:
        for programme in one["programmes"]:
            console.print(f"{one['merchant']} {programme['currency']} {one['month']}: {programme['estimate']['told']}")
            rows = [{"issued": cohort["issued"]} | _line(cohort) for cohort in programme["cohorts"]]
            rows.append({"issued": "together"} | _line(programme))
            show_rows(console, ("issued", "points", "opening", "in", "earned", "change", "closing", "current"), rows)


def _line(part: dict[str, Any]) -> dict[str, Any]:
    money = part["money"]
    return {"points": part["points"]["closing"]} | {
        name: money[name] for name in ("opening", "in", "earned", "change", "closing", "current")
    }
