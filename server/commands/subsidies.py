"""`tessera report subsidies`: what issuers accept to lose, and how much of that is used."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Home, Json, answer, now, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

SHOWN = ("merchants", "version", "currency", "budget", "used", "left")


def subsidies(
    merchant: Annotated[str | None, typer.Option(help="The code of one merchant [default: all].")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What was issued for less than is paid for it, against the budgets of the agreements in force (A3)."""
    with servers("tessera report subsidies") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            from alliance.subsidies.queries import used
            from domain.errors import NotFound
            from domain.money import MICRO, unscaled

            catalogue, moment = runtime.catalogue, now()
            if merchant is not None and merchant not in catalogue.merchants:
                raise NotFound(what=f"merchant {merchant!r}")
            found = []
            for pair in runtime.agreements.pairs:
                one, other = sorted(pair)
                version = runtime.agreements.between(one, other, moment)
                codes = sorted(catalogue.merchants_by_id[id_].code for id_ in pair)
                if version is not None and version.subsidies and merchant in (None, *codes):
                    found.append((codes, version))
            keys = [(version.agreement_id, version.version) for _, version in found]
            async with runtime.database.session() as session:
                drawn = await used(session, keys)
            rows = [
                {
                    "merchants": codes,
                    "version": version.version,
                    "currency": currency,
                    **{
                        name: unscaled(amount, len(str(MICRO)) - 1)
                        for name, amount in (("budget", budget), ("used", taken), ("left", budget - taken))
                    },
                }
                for (codes, version), key in zip(found, keys, strict=True)
                for currency, budget in sorted(version.subsidies.items())
                for taken in (drawn.get(key, {}).get(currency, 0),)
            ]
            return {"currency": catalogue.alliance.settlement_currency, "subsidies": rows}

        report = with_runtime(settings, read)
    rows = [row | {"merchants": " ".join(row["merchants"])} for row in report["subsidies"]]
    answer(report, json, lambda console: show_rows(console, SHOWN, rows))
