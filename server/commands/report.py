"""`tessera report`: what the house owes an account of."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime

report = typer.Typer(help="Reports.", no_args_is_help=True)


@report.command()
def deposits(
    merchant: Annotated[str | None, typer.Option(help="The code of one issuer [default: all].")] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What issuers hold of their members' money as stored value, at an instant."""
    with servers("tessera report deposits") as settings:
        from alliance.stored_value import queries
        from domain.errors import NotFound
        from domain.money import from_minor

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            catalogue = runtime.catalogue
            issuer = None if merchant is None else catalogue.merchants.get(merchant)
            if merchant is not None and issuer is None:
                raise NotFound(what=f"merchant {merchant!r}")
            async with runtime.database.session() as session:
                found = await queries.deposits(session, as_of or now(), None if issuer is None else issuer.id)
            rows = []
            for row in found:
                money = catalogue.currencies[row.currency].policies[0].worth_currency or ""
                figures = {
                    name: from_minor(getattr(row, name), money)
                    for name in ("topped_up", "refunded", "spent", "outstanding")
                }
                named = {"merchant": catalogue.merchants_by_id[row.merchant_id].code, "currency": row.currency}
                rows.append(named | {"money": money} | figures | {"wallets": row.wallets})
            return rows

        rows = with_runtime(settings, read)
    answer({"deposits": rows}, json, lambda console: _show(console, rows))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("merchant", "currency", "money", "topped up", "refunded", "spent", "outstanding", "wallets")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
