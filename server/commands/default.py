"""`tessera default`: merchants that did not pay, what that was to the others, what came back."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime
from server.commands.hands import by_hand

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.defaults.model import MerchantDefault
    from alliance.runtime import Runtime

default = typer.Typer(help="Merchants in default.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="The code of the merchant.")]
Reason = Annotated[str, typer.Option(help="Kept, for the merchant to read.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and write nothing.")]


@default.command()
def declare(
    code: Code,
    cycle: Annotated[int, typer.Argument(help="Number of the cycle whose pay-in is missing.")],
    reason: Reason,
    net_again: Annotated[bool, typer.Option(help="Net the cycle again without it, where that is agreed.")] = False,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Declare a merchant in default, once somebody else approves it; a dry run says who would bear what."""
    with servers("tessera default declare") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            return await _declare(runtime, code, cycle, net_again, reason, dry_run, as_of or now())

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


@default.command()
def show(
    merchant: Annotated[str | None, typer.Option(help="The code of one merchant.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show defaults, newest first: what covered each, who bears the rest, what came back."""
    with servers("tessera default show") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            return await _listed(runtime, merchant)

        rows = with_runtime(settings, read)
    answer({"defaults": rows}, json, lambda console: _show(console, rows))


@default.command()
def recover(
    id_: Annotated[UUID, typer.Argument(metavar="DEFAULT", help="Id of the default, as `show` shows it.")],
    amount: Annotated[str, typer.Argument(help="In the settlement currency, such as 100.00.")],
    reason: Reason,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Record money of a merchant in default, and share it out: survivors first, once somebody else approves it."""
    with servers("tessera default recover") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.settlement.rules import minor_unit
            from domain.money import to_minor

            currency = runtime.catalogue.alliance.settlement_currency
            minor = to_minor(amount, currency)
            args = {"default": str(id_), "amount": str(minor)}
            return await by_hand(runtime, "RECOVER", args, minor * minor_unit(currency), reason, dry_run=dry_run)

        data = with_runtime(settings, take)
    answer(data, json, lambda console: console.print(data))


async def _declare(
    runtime: "Runtime", code: str, number: int, again: bool, reason: str, dry_run: bool, as_of: "datetime"
) -> dict[str, Any]:
    from alliance.defaults.commands import assess
    from alliance.settlement.queries import by_numbers
    from domain.errors import NotFound
    from domain.programs.model import MerchantRow

    found = runtime.catalogue.merchants.get(code)
    if found is None:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    async with runtime.database.session() as session:
        cycle = (await by_numbers(session, [number])).get(number)
        if cycle is None:
            raise NotFound(what=f"cycle {number}", path=("cycle",))
        row = await session.get_one(MerchantRow, found.id)
        would = await assess(session, runtime.catalogue.alliance, row, cycle, again)
        shown = _figures(runtime, would.waterfall, sum(would.waterfall.fund.values()))
        losses, fund = would.waterfall.losses, would.waterfall.fund
        shown["shares"] = [
            _share(runtime, party, fund.get(party, 0), losses.get(party, 0), 0) for party in sorted({*losses, *fund})
        ]
        told = {"merchant": code, "cycle": number, "graceUntil": would.grace_until.isoformat(), "dryRun": dry_run}
    if not dry_run:
        args = {"merchant": str(found.id), "cycle": str(cycle.id), "netAgain": again}
        told |= await by_hand(runtime, "DECLARE_DEFAULT", args, None, reason, as_of=as_of)
    return told | shown


async def _listed(runtime: "Runtime", code: str | None) -> list[dict[str, Any]]:
    from alliance.defaults import queries
    from alliance.settlement.queries import by_ids
    from domain.errors import NotFound

    if code is not None and code not in runtime.catalogue.merchants:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    of = None if code is None else runtime.catalogue.merchants[code].id
    async with runtime.database.session() as session:
        rows = await queries.page(session, of=of, first=100)
        cycles = await by_ids(session, [row.cycle_id for row in rows])
        return [await _row(session, runtime, row, cycles[row.cycle_id].number) for row in rows]


async def _row(session: "AsyncSession", runtime: "Runtime", row: "MerchantDefault", number: int) -> dict[str, Any]:
    from alliance.defaults import queries

    found = (await queries.shares(session, [row.id]))[row.id]
    shares = [_share(runtime, one.merchant_id, one.fund, one.loss, one.repaid) for one in found if one.fund or one.loss]
    ended = None if row.ended_at is None else row.ended_at.isoformat()
    about = {"id": str(row.id), "merchant": runtime.catalogue.merchants_by_id[row.merchant_id].code, "cycle": number}
    about |= {"declaredAt": row.declared_at.isoformat(), "honouredUntil": row.honoured_until.isoformat()}
    return about | {"endedAt": ended, "reason": row.why} | _figures(runtime, row, row.fund) | {"shares": shares}


def _figures(runtime: "Runtime", row: Any, fund: int) -> dict[str, Any]:
    from domain.money import from_minor

    currency = runtime.catalogue.alliance.settlement_currency
    names = {"debts": "debts", "claims": "claims", "received": "received", "missing": "missing"}
    names |= {"collateral": "collateral", "ownFund": "own_fund", "loss": "loss"}
    shown = {name: from_minor(getattr(row, place), currency) for name, place in names.items()}
    return shown | {"fund": from_minor(fund, currency)}


def _share(runtime: "Runtime", party: UUID, fund: int, loss: int, repaid: int) -> dict[str, Any]:
    from domain.money import from_minor

    currency, known = runtime.catalogue.alliance.settlement_currency, runtime.catalogue.merchants_by_id.get(party)
    amounts = {"fund": fund, "loss": loss, "repaid": repaid}
    return {"merchant": "operator" if known is None else known.code} | {
        name: from_minor(amount, currency) for name, amount in amounts.items()
    }


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "approval" in row:
            console.print(f"waits for approval {row['approval']}")
        about = f"{row.get('id', '')} {row['merchant']}, cycle {row['cycle']}".strip()
        console.print(f"{about}: {row['missing']} is missing")
        console.print("  " + ", ".join(f"{name} {row[name]}" for name in ("collateral", "ownFund", "fund", "loss")))
        table = Table("merchant", "fund", "loss", "repaid")
        for share in row["shares"]:
            table.add_row(*share.values())
        if row["shares"]:
            console.print(table)
