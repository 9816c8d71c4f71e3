"""`tessera receipts`: banks' statements taken in, and what came matched with payments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Column, Table

from server.commands.common import NO, AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.approvals.commands import About
    from alliance.banking.accounts import Banking
    from alliance.banking.asking import Asked
    from alliance.banking.queries import Told
    from alliance.runtime import Runtime

    Ask = Callable[[AsyncSession, Banking], Awaitable[Asked]]

receipts = typer.Typer(help="What banks report as received, and to which payments it belongs.", no_args_is_help=True)

Known = Annotated[UUID, typer.Argument(help="Id of the receipt, as `tessera receipts list` shows it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]
DRY = "Dry run: nothing was changed."


@receipts.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="camt.053, or CSV.", exists=True, dir_okay=False, readable=True)],
    merchant: Annotated[
        str | None, typer.Option(help="Whose account it is of [default: the operator's, or that which all pay into].")
    ] = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take a bank's statement in: each movement once, matched with payments. Exit code 1: some is left to a person."""
    content = file.read_bytes()
    with servers("tessera receipts import") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.banking.importing import import_statement

            owner = runtime.catalogue.alliance.id if merchant is None else _merchant(runtime, merchant)
            async with runtime.database.session() as session:
                found = await import_statement(session, content, owner, about_of(reason, as_of))
                if not dry_run:
                    await session.commit()
            return {name: getattr(found, name) for name in found.__slots__} | {"dryRun": dry_run}

        data = with_runtime(settings, take)

    def show(console: Console) -> None:
        if data["again"]:
            console.print("This file was taken before: nothing was changed.")
            return
        console.print(f"{data['entries']} entries, {data['known']} of them known before or not of interest.")
        console.print(f"{data['applied']} applied, {data['proposed']} proposed, {data['open']} open.")
        if dry_run:
            console.print(DRY)

    answer(data, json, show)
    if data["proposed"] or data["open"]:
        raise typer.Exit(NO)


@receipts.command("list")
def list_(
    status: Annotated[str, typer.Option(help="OPEN, PROPOSED, PARTLY, APPLIED, REFUNDED, SPLIT or all.")] = "all",
    merchant: Annotated[str | None, typer.Option(help="Only of this merchant's account.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List receipts, newest first, with what is left of each and what is proposed."""
    from alliance.banking.receipts import ReceiptStatus

    if status.upper() not in (*ReceiptStatus.__members__, "ALL"):
        raise WrongUse(f"a receipt is {', '.join(ReceiptStatus)}")
    with servers("tessera receipts list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from sqlalchemy import select

            from alliance.banking import queries
            from alliance.banking.accounts import banking_of
            from alliance.settlement.model import SettlementCycle

            wanted = queries.Wanted(
                None if merchant is None else _merchant(runtime, merchant),
                None if status.upper() == "ALL" else ReceiptStatus(status.upper()),
            )
            async with runtime.database.session() as session:
                banking = await banking_of(session)
                found = await queries.told(session, await queries.page(session, wanted, first=first))
                numbers = {str(row.id): row.number for row in await session.scalars(select(SettlementCycle))}
                return [_shown(banking, one, numbers) for one in found]

        rows = with_runtime(settings, read)

    def show(console: Console) -> None:
        table = Table(
            Column("receipt", no_wrap=True), "day", "amount", "left", "status", "from", "reference", "proposed"
        )
        for row in rows:
            proposed = ", ".join(part["payment"] for part in row["proposal"]["payments"]) if row["proposal"] else ""
            names = ("id", "valueDate", "amount", "left", "status", "name", "reference")
            table.add_row(*(str(row[name]) for name in names), proposed)
        console.print(table)

    answer({"receipts": rows}, json, show)


@receipts.command()
def match(
    receipt: Known,
    payment: Annotated[
        list[str] | None,
        typer.Option(help="A payment, CYCLE/NUMBER or CYCLE/NUMBER=AMOUNT; several: again [default: as proposed]."),
    ] = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Apply a receipt, or what is left of it, to payments. Above the limit it waits for a second person."""

    async def args(session: "AsyncSession", banking: "Banking") -> tuple[dict[str, Any], int]:
        from alliance.banking import asking

        return await asking.match(session, banking, receipt, None if payment is None else _asked(banking, payment))

    _act("MATCH_RECEIPT", "match", args, reason, as_of, dry_run, json)


@receipts.command()
def unmatch(
    receipt: Known,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a receipt not have been applied: its payments are awaited again."""

    async def args(session: "AsyncSession", _: "Banking") -> tuple[dict[str, Any], int]:
        from alliance.banking import asking

        return await asking.unmatch(session, receipt)

    _act("UNMATCH_RECEIPT", "unmatch", args, reason, as_of, dry_run, json)


@receipts.command()
def refund(
    receipt: Known,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Keep that what is left of a receipt was given back."""

    async def args(session: "AsyncSession", _: "Banking") -> tuple[dict[str, Any], int]:
        from alliance.banking import asking

        return await asking.refund(session, receipt, None)

    _act("REFUND_CASH", "refund", args, reason, as_of, dry_run, json)


def _asked(banking: "Banking", payments: list[str]) -> list[tuple[int, int, int | None]]:
    """Cycle, number and minor units (None: as much as there is). Raises WrongUse."""
    from domain.money import to_minor

    found = []
    for text in payments:
        place, _, amount = text.partition("=")
        cycle, _, number = place.partition("/")
        if not (cycle.isdecimal() and number.isdecimal()):
            raise WrongUse(f"{text!r} is not a payment such as 12/3 or 12/3=90.00")
        found.append((int(cycle), int(number), to_minor(amount, banking.currency) if amount else None))
    return found


def _act(
    name: str, command: str, args: "Ask", reason: str, as_of: "datetime | None", dry_run: bool, json: bool
) -> None:
    with servers(f"tessera receipts {command}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            return await act(runtime, name, args, about_of(reason, as_of), dry_run)

        data = with_runtime(settings, take)
    show_act(data, json)


async def act(runtime: "Runtime", name: str, args: "Ask", about: "About", dry_run: bool) -> dict[str, Any]:
    """Do what is asked for, or keep it for a second person."""
    import alliance.acts  # noqa: F401 - what can be asked for
    from alliance.approvals.commands import Waiting, act_or_ask
    from alliance.banking.accounts import banking_of

    async with runtime.database.session() as session:
        banking = await banking_of(session)
        asked, amount = await args(session, banking)
        done = await act_or_ask(session, runtime, name, asked, amount=amount * banking.unit, about=about)
        if not dry_run:
            await session.commit()
    waiting = str(done.approval_id) if isinstance(done, Waiting) else None
    return {"done": waiting is None, "approval": waiting, "dryRun": dry_run}


def show_act(data: dict[str, Any], json: bool) -> None:
    """What came of an act: it was done, or it waits for a second person."""

    def show(console: Console) -> None:
        console.print("Done." if data["done"] else f"It waits for a second person: approval {data['approval']}")
        if data["dryRun"]:
            console.print(DRY)

    answer(data, json, show)


def about_of(reason: str, as_of: "datetime | None") -> "About":
    """Whoever is at the command line, and why."""
    from alliance.approvals.commands import About
    from alliance.settlement.model import COMMAND_LINE

    return About(COMMAND_LINE, reason, as_of or now())


def _merchant(runtime: "Runtime", code: str) -> UUID:
    from domain.errors import NotFound

    if code not in runtime.catalogue.merchants:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    return runtime.catalogue.merchants[code].id


def _shown(banking: "Banking", one: "Told", cycles: dict[str, int]) -> dict[str, Any]:
    from domain.money import from_minor

    row = one.receipt
    proposal = None
    if row.proposal is not None:
        payments = [
            {
                "payment": f"{cycles[part['cycle']]}/{part['number']}",
                "amount": from_minor(part["amount"], banking.currency),
            }
            for part in row.proposal["parts"]
        ]
        proposal = {"payments": payments, "how": row.proposal["how"], "score": row.proposal["score"]}
    return {
        "id": row.id,
        "owner": banking.codes[row.owner_id],
        "valueDate": row.value_date,
        "amount": from_minor(row.amount, banking.currency),
        "left": from_minor(one.left, banking.currency),
        "status": row.status,
        "payer": banking.codes.get(row.payer_id) if row.payer_id else None,
        "name": one.name,
        "reference": row.reference,
        "text": one.text,
        "reversal": row.reversal,
        "proposal": proposal,
        "steps": [{"kind": step.kind, "how": step.how, "why": step.why, "asOf": step.as_of} for step in one.steps],
    }
