"""`tessera report`: what the house owes an account of."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, aware, now, servers, with_runtime

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
    columns = ("merchant", "currency", "money", "topped up", "refunded", "spent", "outstanding", "wallets")
    answer({"deposits": rows}, json, lambda console: show_rows(console, columns, rows))


@report.command()
def rings(
    since: Annotated[datetime, typer.Option(parser=aware, metavar="TIME", help="Gifts made from then on, RFC 3339.")],
    until: Annotated[
        datetime | None, typer.Option(parser=aware, metavar="TIME", help="Gifts made before then [default: now].")
    ] = None,
    longest: Annotated[int, typer.Option(min=2, max=8, help="The most members of a ring.")] = 5,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    home: Home = None,
    json: Json = False,
) -> None:
    """Rings of gifts: points that went from member to member and came back, those with most points first."""
    with servers("tessera report rings") as settings:
        from alliance.gifts import rings as gifts
        from domain.members.queries import by_ids

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                found = await gifts.rings(session, since, until or now(), longest, first)
                people = await by_ids(session, list({id_ for ring in found for id_ in ring.members}), None)
            return [asdict(ring) | {"members": [people[id_].number for id_ in ring.members]} for ring in found]

        rows = with_runtime(settings, read)
    columns = ("members", "currency", "went round", "given", "gifts", "first", "last")
    answer({"rings": rows}, json, lambda console: show_rows(console, columns, rows))


def show_rows(console: Console, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """A table of them."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(" > ".join(value) if isinstance(value, list) else str(value) for value in row.values()))
    console.print(table)
