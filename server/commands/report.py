"""`tessera report`: what the house owes an account of."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import NO, AsOf, Home, Json, answer, aware, now, servers, with_runtime

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


_MOVED = ("granted", "used", "no_shows", "cancelled", "expired", "restored", "owed")
_FIGURES = (*_MOVED, "outstanding", "booked", "overdue", "over")


@report.command()
def rights(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day of the alliance's [default: yesterday].")
    ] = None,
    merchant: Annotated[str | None, typer.Option(help="What one merchant granted, and was used at its own.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What became of rights on a day: granted, used, cleared, and what is out, by grantor, kind and place.

    Ends with 1 where something has not returned to zero: uses past their date that did not expire, bookings past their
    time that nobody followed up.
    """
    with servers("tessera report rights") as settings:
        from alliance.agreements.rules import day_bounds, today
        from alliance.benefits import queries
        from domain.errors import NotFound
        from domain.money import MICRO, unscaled

        async def read(runtime: "Runtime") -> tuple[str, list[dict[str, Any]]]:
            catalogue = runtime.catalogue
            party = None if merchant is None else catalogue.merchants.get(merchant)
            if merchant is not None and party is None:
                raise NotFound(what=f"merchant {merchant!r}")
            chosen = today(now(), catalogue.alliance) - timedelta(days=1) if day is None else day.date()
            async with runtime.database.session() as session:
                bounds = day_bounds(chosen, catalogue.alliance)
                found = await queries.report(session, *bounds, None if party is None else party.id)
            rows = []
            for line in found:
                figures = {name: value for name, value in asdict(line).items() if not name.endswith("_id")}
                places = {"grantor": line.grantor_id, "at": line.at_id}
                row = {name: catalogue.merchants_by_id[id_].code for name, id_ in places.items()} | figures
                rows.append(row | {"owed": unscaled(line.owed, len(str(MICRO)) - 1)})
            return chosen.isoformat(), rows

        asked, rows = with_runtime(settings, read)
    told = [
        {name: row[name] for name in ("grantor", "kind", "at")}
        | {"what": ", ".join(f"{name} {row[name]}" for name in _FIGURES if float(row[name]))}
        for row in rows
    ]
    returned = not any(row["overdue"] or row["over"] for row in rows)
    data = {"day": asked, "returned": returned, "rights": rows}
    answer(data, json, lambda console: show_rows(console, ("grantor", "kind", "at", "what"), told))
    if not returned:
        raise typer.Exit(NO)


def show_rows(console: Console, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """A table of them."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(" > ".join(value) if isinstance(value, list) else str(value) for value in row.values()))
    console.print(table)
