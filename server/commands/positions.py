"""`tessera repair-positions`: merchants' positions that are not what is booked."""

from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Home, Json, answer, now, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

FIGURES = ("owed", "reserved", "withheld")


def repair_positions(
    merchant: Annotated[str | None, typer.Option(help="The code of one merchant [default: all with a cap].")] = None,
    why: Annotated[str, typer.Option(help="Why, in words: kept with what is set.")] = "figures differed",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Set positions of merchants that `tessera verify` finds different to what follows from what is booked (A5)."""
    with servers("tessera repair-positions") as settings:

        async def run(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.exposure.repair import put_right
            from domain.errors import NotFound
            from domain.money import MICRO, unscaled

            catalogue = runtime.catalogue
            if merchant is not None and merchant not in catalogue.merchants:
                raise NotFound(what=f"merchant {merchant!r}")
            asked = None if merchant is None else catalogue.merchants[merchant].id
            who = f"tessera repair-positions ({getuser()})"
            async with runtime.database.session() as session:
                found = await put_right(session, who=who, why=why, as_of=now(), merchant_id=asked)
                names = [*(f"{name}_before" for name in FIGURES), *FIGURES]
                rows = [
                    {"merchant": catalogue.merchants_by_id[one.merchant_id].code}
                    | {name: unscaled(getattr(one, name), len(str(MICRO)) - 1) for name in names}
                    for one in found
                ]
                if not dry_run:
                    await session.commit()
            return rows

        rows = with_runtime(settings, run)
    columns = ("merchant", *(f"{name} was" for name in FIGURES), *(f"{name} is" for name in FIGURES))
    told = {"repaired": rows, "dryRun": dry_run}
    answer(told, json, lambda console: show_rows(console, columns, rows) if rows else console.print("Nothing differs."))
