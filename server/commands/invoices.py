"""`tessera invoice`: what merchants charge each other for a cycle, beside its statements."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from server.commands.common import NO, AsOf, Home, Json, answer, now, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

invoice = typer.Typer(help="Invoices of cycles, and what late payment cost.", no_args_is_help=True)

Cycle = Annotated[int, typer.Argument(help="Number of the cycle.")]
LISTED = ("number", "kind", "cycle", "issuer", "recipient", "dueOn", "net", "tax", "gross")
COMPARED = ("issuer", "recipient", "stated", "invoiced", "difference", "recorded", "net", "unpaid")


class Kind(StrEnum):
    """What there is of an invoice."""

    JSON = "json"
    CSV = "csv"
    PDF = "pdf"


@invoice.command("list")
def list_(
    cycle: Annotated[int | None, typer.Option(help="Of this cycle [default: all].")] = None,
    merchant: Annotated[str | None, typer.Option(help="The code of a party; the alliance's for the operator.")] = None,
    first: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List invoices and credit notes, newest first."""
    with servers("tessera invoice list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.invoices import files, queries
            from alliance.settlement.queries import by_ids

            party = None if merchant is None else _party(runtime, merchant)
            async with runtime.database.session() as session:
                cycle_id = None if cycle is None else await _cycle(session, cycle)
                found = await queries.page(session, queries.Sought(cycle_id=cycle_id, merchant_id=party), first)
                lines = await queries.lines(session, [row.id for row in found])
                cycles = await by_ids(session, {row.cycle_id for row in found})
            return [files.told(row, lines[row.id], cycles[row.cycle_id].number) for row in found]

        rows = with_runtime(settings, read)
    short = [{name: row[name] for name in LISTED} for row in rows]
    for row in short:
        row |= {side: row[side]["code"] for side in ("issuer", "recipient")}
    answer({"invoices": rows}, json, lambda console: show_rows(console, LISTED, short))


@invoice.command()
def export(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    merchant: Annotated[str, typer.Option(help="The code of its issuer.")],
    format_: Annotated[Kind, typer.Option("--format", help="What to write.")] = Kind.PDF,
    out: Annotated[Path | None, typer.Option(help="The file (else standard output).", dir_okay=False)] = None,
    language: Annotated[str, typer.Option(help="Of the PDF: en or zh-CN.")] = "en",
    home: Home = None,
    json: Json = False,
) -> None:
    """Write an invoice as a file: the same bytes whenever it is written."""
    with servers("tessera invoice export") as settings:

        async def read(runtime: "Runtime") -> bytes:
            from alliance.invoices import files, queries
            from alliance.settlement.queries import by_ids
            from domain.errors import NotFound

            async with runtime.database.session() as session:
                found = await queries.by_number(session, _party(runtime, merchant), number)
                if found is None:
                    raise NotFound(what=f"invoice {number!r}")
                lines = (await queries.lines(session, [found.id]))[found.id]
                cycle = (await by_ids(session, [found.cycle_id]))[found.cycle_id]
            return files.content(found, lines, cycle.number, format_.value, language)

        content = with_runtime(settings, read)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    size = out.write_bytes(content)
    told = {"number": number, "format": format_.value, "file": str(out), "bytes": size}
    answer(told, json, lambda console: console.print(f"{out}: {size:,} bytes", markup=False))


@invoice.command()
def issue(as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Issue what is due now: invoices of confirmed cycles, and interest on late payments. Unattended, `settle` does."""
    with servers("tessera invoice issue") as settings:

        async def take(runtime: "Runtime") -> dict[str, int]:
            from alliance.invoices.commands import issue_due
            from alliance.invoices.interest import charge_late

            moment, alliance = as_of or now(), runtime.catalogue.alliance
            async with runtime.database.transaction() as session:
                issued = await issue_due(session, alliance, moment)
                return {"invoices": issued, "latePayments": await charge_late(session, alliance, moment)}

        done = with_runtime(settings, take)
    told = f"{done['invoices']} invoices issued, {done['latePayments']} late payments charged"
    answer(done, json, lambda console: console.print(told))


@invoice.command()
def match(cycle: Cycle, home: Home = None, json: Json = False) -> None:
    """Compare what a cycle stated, invoices said, partners' own books say, and payments did; and what lateness cost.

    Ends with 1 where a partner's own invoice is not what was stated.
    """
    with servers("tessera invoice match") as settings:

        async def read(runtime: "Runtime") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            from alliance.invoices import queries

            async with runtime.database.session() as session:
                cycle_id = await _cycle(session, cycle)
                found = await queries.matches(session, await queries.directions(session, cycle_id))
                late = await queries.late_interest(session, cycle_id)
            return [_compared(runtime, one) for one in found], [_late(runtime, one) for one in late]

        rows, late = with_runtime(settings, read)
    short = [{name: row[name] for name in COMPARED} for row in rows]
    for row in short:
        told = (f"{one['number']}: {one['over']}" + " !" * (not one["addsUp"]) for one in row["recorded"])
        row["recorded"] = ", ".join(told)

    def show(console: Console) -> None:
        show_rows(console, COMPARED, short)
        if late:
            show_rows(console, tuple(late[0]), late)

    answer({"cycle": cycle, "matches": rows, "interest": late}, json, show)
    if any(one["over"].strip("-0.") or not one["addsUp"] for row in rows for one in row["recorded"]):
        raise typer.Exit(NO)


def _code(runtime: "Runtime", party: UUID) -> str:
    merchant = runtime.catalogue.merchants_by_id.get(party)
    return runtime.catalogue.alliance.code if merchant is None else merchant.code


def _late(runtime: "Runtime", row: Any) -> dict[str, Any]:
    from domain.money import unscaled
    from domain.programs.catalogue import MICRO_PLACES

    parties = {"payer": _code(runtime, row.payer_id), "payee": _code(runtime, row.payee_id)}
    figures = {name: unscaled(getattr(row, name), MICRO_PLACES) for name in ("principal", "rate", "amount")}
    return parties | {"payment": row.seq, "days": row.days, "basis": row.basis} | figures


def _compared(runtime: "Runtime", found: Any) -> dict[str, Any]:
    from domain.money import from_minor, unscaled
    from domain.programs.catalogue import MICRO_PLACES

    money = runtime.catalogue.alliance.settlement_currency
    exact = ("stated", "invoiced", "difference", "tax_stated", "set_off", "opening", "carried", "suspended")
    return (
        {"issuer": _code(runtime, found.key[1]), "recipient": _code(runtime, found.key[2])}
        | {name: unscaled(getattr(found, name), MICRO_PLACES) for name in exact}
        | {"net": from_minor(found.net, money)}
        | {"unpaid": None if found.unpaid is None else from_minor(found.unpaid, money)}
        | {
            "recorded": [
                {"number": row.number, "over": from_minor(found.over(row), money), "addsUp": found.adds_up(row)}
                for row in found.recorded
            ]
        }
    )


def _party(runtime: "Runtime", code: str) -> UUID:
    from domain.errors import NotFound

    catalogue = runtime.catalogue
    merchant = catalogue.merchants.get(code)
    if merchant is None and code != catalogue.alliance.code:
        raise NotFound(what=f"merchant {code!r}")
    return catalogue.alliance.id if merchant is None else merchant.id


async def _cycle(session: Any, number: int) -> UUID:
    from alliance.settlement.queries import by_numbers
    from domain.errors import NotFound

    found = (await by_numbers(session, [number])).get(number)
    if found is None:
        raise NotFound(what=f"cycle {number}")
    return found.id
