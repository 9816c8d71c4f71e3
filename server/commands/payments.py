"""`tessera payments`: what is to be paid of a cycle, and the files for banks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import Home, Json, answer, servers, with_runtime

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime
    from alliance.settlement.model import SettlementCycle

payments = typer.Typer(help="Payments of settlement cycles, and files for banks.", no_args_is_help=True)

Cycle = Annotated[int, typer.Argument(help="Number of the cycle.")]


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
    """Write the files of payments (ISO 20022 pain.001.001.09) of a cycle, one a payer, as they would be sent now."""
    with servers("tessera payments export") as settings:

        async def write(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.banking.accounts import banking_of
            from alliance.banking.orders import drafts
            from domain.errors import NotFound
            from domain.money import from_minor

            async with runtime.database.session() as session:
                banking = await banking_of(session)
                parties = {code: id_ for id_, code in banking.codes.items()}
                if merchant is not None and merchant not in parties:
                    raise NotFound(what=f"merchant {merchant!r}", path=("merchant",))
                party = None if merchant is None else parties[merchant]
                files = await drafts(session, await _found(session, cycle), party=party)
            written = []
            for file in files:
                name = f"{banking.code}-{cycle}-{banking.codes[file.party_id]}-{file.kind.lower()}.xml"
                (out / name).write_bytes(file.content)
                told: dict[str, Any] = {"file": str(out / name), "kind": file.kind, "messageId": file.message_id}
                told |= {"payments": list(file.numbers), "total": from_minor(file.total, banking.currency)}
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
