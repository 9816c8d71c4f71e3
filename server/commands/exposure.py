"""`tessera report exposure`: how far each merchant has gone towards its cap."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Home, Json, answer, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

SHOWN = ("merchant", "cap", "position", "headroom", "percent", "waiting", "last_alert")
"""Of the figures, what a table has room for; to the cent."""


def exposure(
    merchant: Annotated[str | None, typer.Option(help="The code of one merchant [default: all with a cap].")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What merchants owe and have reserved, against their caps (A5); `waiting` are points that wait for room."""
    with servers("tessera report exposure") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            from alliance.exposure import queries
            from alliance.exposure.rules import headroom, percent
            from domain.errors import NotFound
            from domain.money import MICRO, unscaled

            def money(micro: int) -> str:
                return unscaled(micro, len(str(MICRO)) - 1)

            catalogue = runtime.catalogue
            if merchant is not None and merchant not in catalogue.merchants:
                raise NotFound(what=f"merchant {merchant!r}")
            asked = catalogue.merchants.values() if merchant is None else [catalogue.merchants[merchant]]
            async with runtime.database.session() as session:
                found = await queries.by_merchants(session, [one.id for one in asked])
                last = await queries.last_alerts(session, list(found))
                waiting = await queries.waiting(session, list(found))
            rows = []
            for one in sorted(asked, key=lambda one: one.code):
                if (row := found.get(one.id)) is not None:
                    alert = last.get(one.id)
                    rows.append(
                        {
                            "merchant": one.code,
                            "cap": money(row.cap),
                            "position": money(row.used),
                            "owed": money(row.owed),
                            "reserved": money(row.reserved),
                            "withheld": money(row.withheld),
                            "headroom": money(headroom(row.cap, row.used)),
                            "percent": percent(row.cap, row.used),
                            "waiting": waiting.get(one.id, 0),
                            "last_alert": None
                            if alert is None
                            else f"{alert.level}% {alert.raised_at:%Y-%m-%dT%H:%M:%SZ}",
                        }
                    )
            return {"currency": catalogue.alliance.settlement_currency, "exposure": rows}

        report = with_runtime(settings, read)
    rows = [{name: _short(row[name]) for name in SHOWN} for row in report["exposure"]]
    answer(report, json, lambda console: show_rows(console, tuple(name.replace("_", " ") for name in SHOWN), rows))


def _short(value: str | int | None) -> str:
    if isinstance(value, str) and value[-7:-6] == ".":
        return value[:-4]
    return "" if value is None else str(value)
