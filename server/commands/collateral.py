"""`tessera collateral`: what merchants deposit, and what it is drawn for."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import Home, Json, WrongUse, answer, servers, with_runtime
from server.commands.hands import by_hand

if TYPE_CHECKING:
    from alliance.runtime import Runtime

collateral = typer.Typer(
    help="Collateral, the guarantee fund and the honouring reserve: what merchants brought.", no_args_is_help=True
)

Code = Annotated[str, typer.Argument(help="The code of the merchant.")]
Amount = Annotated[str, typer.Argument(help="In the settlement currency, such as 100.00.")]
Reason = Annotated[str, typer.Option(help="Kept.")]
What = Annotated[str, typer.Option(help="COLLATERAL, FUND or RESERVE.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="See whether it would be refused, and undo it.")]


@collateral.command()
def post(
    code: Code,
    amount: Amount,
    reason: Reason,
    account: What = "COLLATERAL",
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Record that a merchant brought money, once somebody else approves it (`tessera approvals`)."""
    _move("post", code, amount, account, reason, dry_run, json)


@collateral.command()
def release(
    code: Code,
    amount: Amount,
    reason: Reason,
    account: What = "COLLATERAL",
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give a merchant back what is not needed, once somebody else approves it."""
    _move("release", code, amount, account, reason, dry_run, json)


@collateral.command("list")
def list_(
    merchant: Annotated[str | None, typer.Option(help="The code of one merchant.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List what lies with the alliance, and what was promised."""
    with servers("tessera collateral list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            return await _listed(runtime, merchant)

        rows = with_runtime(settings, read)
    answer({"accounts": rows}, json, lambda console: _show(console, rows))


def _move(name: str, code: str, amount: str, account: str, reason: str, dry_run: bool, json: bool) -> None:
    with servers(f"tessera collateral {name}") as settings:
        from alliance.defaults.deposits import Deposit
        from alliance.settlement.rules import minor_unit
        from domain.errors import NotFound
        from domain.money import to_minor

        if account.upper() not in Deposit.__members__:
            raise WrongUse(f"an account is {', '.join(Deposit)}")

        async def take(runtime: "Runtime") -> dict[str, Any]:
            currency = runtime.catalogue.alliance.settlement_currency
            minor, found = to_minor(amount, currency), runtime.catalogue.merchants.get(code)
            if found is None:
                raise NotFound(what=f"merchant {code!r}", path=("merchant",))
            act = f"{account.upper()}_{name.upper()}"
            args = {"merchant": str(found.id), "account": account.upper(), "amount": str(minor)}
            told = await by_hand(runtime, act, args, minor * minor_unit(currency), reason, dry_run=dry_run)
            return {**told, "accounts": await _listed(runtime, code)}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _told(console, data))


async def _listed(runtime: "Runtime", code: str | None) -> list[dict[str, Any]]:
    from alliance.treasury.model import MoneyAccount
    from alliance.treasury.queries import balances
    from domain.errors import NotFound
    from domain.money import MICRO, from_minor, unscaled

    catalogue = runtime.catalogue
    currency = catalogue.alliance.settlement_currency
    if code is not None and code not in catalogue.merchants:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    accounts = (MoneyAccount.COLLATERAL, MoneyAccount.FUND, MoneyAccount.RESERVE)
    async with runtime.database.session() as session:
        found = await balances(session, accounts=accounts)
    rows = []
    for one in sorted(catalogue.merchants.values(), key=lambda one: one.code):
        promised = {MoneyAccount.COLLATERAL: one.collateral, MoneyAccount.FUND: one.fund}
        for account in accounts if code in (None, one.code) else ():
            has, said = -found.get((account, one.id), 0), promised.get(account, 0)
            if has or said:
                row = {"merchant": one.code, "account": account.value, "balance": from_minor(has, currency)}
                rows.append(row | {"promised": unscaled(said, len(str(MICRO)) - 1)})
    return rows


def _told(console: Console, data: dict[str, Any]) -> None:
    if "approval" in data:
        console.print(f"waits for approval {data['approval']}")
    _show(console, data["accounts"])


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("merchant", "account", "balance", "promised")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
