"""`tessera payments`: what is to be paid of a cycle, and the files for banks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, servers, with_runtime
from server.commands.receipts import DryRun, Reason, about_of, act, show_act

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.banking.accounts import Banking
    from alliance.banking.asking import Asked
    from alliance.runtime import Runtime
    from alliance.settlement.model import SettlementCycle

    Ask = Callable[[AsyncSession, SettlementCycle], Awaitable[Asked]]

payments = typer.Typer(help="Payments of settlement cycles, and files for banks.", no_args_is_help=True)

Cycle = Annotated[int, typer.Argument(help="Number of the cycle.")]
Number = Annotated[int, typer.Argument(help="Number of the payment.")]


@payments.command("list")
def list_(cycle: Cycle, home: Home = None, json: Json = False) -> None:
    """List the payments of a cycle."""
    with servers("tessera payments list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                return await _listed(session, await _found(session, cycle))

        rows = with_runtime(settings, read)
    answer({"cycle": cycle, "payments": rows}, json, lambda console: _show(console, rows))


@payments.command()
def export(
    cycle: Cycle,
    merchant: Annotated[
        str | None, typer.Option(help="Only this merchant's file, or under the alliance's code the operator's.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.", file_okay=False)] = Path(),
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the files of payments (ISO 20022 pain.001.001.09) of a cycle: those released, and those that wait."""
    with servers("tessera payments export") as settings:

        async def write(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.banking.accounts import banking_of
            from alliance.banking.releasing import files_of
            from domain.errors import NotFound
            from domain.money import from_minor

            async with runtime.database.session() as session:
                banking = await banking_of(session)
                parties = {code: id_ for id_, code in banking.codes.items()}
                if merchant is not None and merchant not in parties:
                    raise NotFound(what=f"merchant {merchant!r}", path=("merchant",))
                party = None if merchant is None else parties[merchant]
                files = await files_of(session, await _found(session, cycle), party)
            written = []
            for file in files:
                name = f"{banking.code}-{cycle}-{banking.codes[file.party_id]}-{file.message_id}.xml"
                (out / name).write_bytes(file.content)
                told: dict[str, Any] = {"file": str(out / name), "kind": file.kind, "messageId": file.message_id}
                told |= {
                    "released": file.released_at,
                    "payments": list(file.numbers),
                    "total": from_minor(file.total, banking.currency),
                }
                written.append(told)
            return written

        out.mkdir(parents=True, exist_ok=True)
        rows = with_runtime(settings, write)

    def show(console: Console) -> None:
        for row in rows:
            console.print(f"{row['file']}: {len(row['payments'])} payments, {row['total']}", markup=False)
        if not rows:
            console.print("Nothing is to be paid.")

    answer({"cycle": cycle, "files": rows}, json, show)


@payments.command()
def release(
    cycle: Cycle,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Release all files of a cycle that wait. Above the limit it waits for a second person."""

    async def args(session: "AsyncSession", found: "SettlementCycle") -> "Asked":
        from alliance.banking import asking

        return await asking.release(session, found)

    _act("RELEASE_PAYMENTS", "release", cycle, args, reason, as_of, dry_run, json)


@payments.command()
def hold(
    cycle: Cycle,
    number: Number,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Hold a payment back from being released."""
    _act("HOLD_PAYMENT", "hold", cycle, _one(number), reason, as_of, dry_run, json)


@payments.command()
def unhold(
    cycle: Cycle,
    number: Number,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a payment that is held back be released again."""
    _act("RELEASE_HELD_PAYMENT", "unhold", cycle, _one(number), reason, as_of, dry_run, json)


def _one(number: int) -> "Ask":
    async def args(session: "AsyncSession", found: "SettlementCycle") -> "Asked":
        from alliance.banking import asking

        return await asking.payment(session, found, number)

    return args


def _act(
    name: str,
    command: str,
    number: int,
    args: "Ask",
    reason: str,
    as_of: "datetime | None",
    dry_run: bool,
    json: bool,
) -> None:
    with servers(f"tessera payments {command}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            async def asked(session: "AsyncSession", _: "Banking") -> "Asked":
                return await args(session, await _found(session, number))

            return await act(runtime, name, asked, about_of(reason, as_of), dry_run)

        data = with_runtime(settings, take)
    show_act(data, json)


async def _found(session: "AsyncSession", number: int) -> "SettlementCycle":
    """Raises NotFound."""
    from alliance.settlement.queries import by_numbers
    from domain.errors import NotFound

    found = (await by_numbers(session, [number])).get(number)
    if found is None:
        raise NotFound(what=f"cycle {number}")
    return found


async def _listed(session: "AsyncSession", cycle: "SettlementCycle") -> list[dict[str, Any]]:
    from alliance.banking.accounts import banking_of
    from alliance.banking.references import reference
    from alliance.settlement import queries
    from domain.money import from_minor

    banking = await banking_of(session)
    return [
        {
            "number": row.seq,
            "reference": reference(banking.code, cycle.number, row.seq),
            "from": banking.codes[row.payer_id],
            "to": banking.codes[row.payee_id],
            "amount": from_minor(row.amount, banking.currency),
            "status": row.status,
            "paidAt": row.paid_at,
        }
        for row in (await queries.payments(session, [cycle.id]))[cycle.id]
    ]


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("payment", "reference", "from", "to", "amount", "status")
    for row in rows:
        table.add_row(str(row["number"]), *(row[name] for name in ("reference", "from", "to", "amount", "status")))
    console.print(table)
