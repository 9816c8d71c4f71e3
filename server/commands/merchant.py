"""`tessera merchant`: freezing a merchant and restoring it, and what was done so."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime
from server.commands.hands import by_hand

if TYPE_CHECKING:
    from datetime import datetime

    from alliance.runtime import Runtime

merchant = typer.Typer(help="Merchants that take part, and those that do not for now.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="The code of the merchant.")]
Reason = Annotated[str, typer.Option(help="Kept, for the merchant to read.")]


@merchant.command()
def freeze(code: Code, reason: Reason, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Have a merchant issue and exchange nothing new until it is restored; what was promised goes through."""
    _step("freeze", code, reason, as_of, json)


@merchant.command()
def restore(code: Code, reason: Reason, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Let a frozen merchant take part again, once somebody else approves it (`tessera approvals`)."""
    _step("restore", code, reason, as_of, json)


@merchant.command()
def leave(
    code: Code,
    reason: Reason,
    on: Annotated[str | None, typer.Option(help="First day without it, as 2026-12-24 [default: earliest].")] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give notice for a merchant: all its agreements end on one day, where the operator may end them."""
    _exit("leave", code, reason, on, as_of, json)


@merchant.command()
def stay(code: Code, reason: Reason, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Withdraw the notice of a merchant, before its agreements end; those are proposed anew."""
    _exit("stay", code, reason, None, as_of, json)


def _exit(name: str, code: str, reason: str, on: str | None, as_of: "datetime | None", json: bool) -> None:
    with servers(f"tessera merchant {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from datetime import date

            from alliance.agreements.steps import Act
            from alliance.departing import commands
            from alliance.settlement.model import COMMAND_LINE
            from domain.errors import InvalidInput, NotFound

            catalogue = runtime.catalogue
            if (found := catalogue.merchants.get(code)) is None:
                raise NotFound(what=f"merchant {code!r}", path=("merchant",))
            act = Act(catalogue.alliance.id, COMMAND_LINE, reason, as_of or now())
            try:
                day = None if on is None else date.fromisoformat(on)
            except ValueError:
                raise InvalidInput(reason="a day is written 2026-12-24", path=("on",)) from None
            async with runtime.database.transaction() as session:
                if name == "leave":
                    row = await commands.announce(session, catalogue, found, on=day, act=act)
                else:
                    row = await commands.withdraw(session, catalogue.alliance, found, act)
            return {
                "merchant": code,
                "endsAt": row.ends_at.isoformat(),
                "runsOffTo": row.runs_off_to.isoformat(),
                "lastCycle": row.last_cycle,
                "claimsUntil": row.claims_until.isoformat(),
                "withdrawn": row.withdrawn_at is not None,
            }

        data = with_runtime(settings, take)
    answer(data, json, lambda console: console.print("\n".join(f"{key}: {value}" for key, value in data.items())))


@merchant.command()
def history(code: Code, home: Home = None, json: Json = False) -> None:
    """Show when a merchant was frozen and restored, by whom and why, newest first."""
    with servers("tessera merchant history") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            return await _shown(runtime, code)

        data = with_runtime(settings, read)
    answer(data, json, lambda console: _show(console, data))


def _step(name: str, code: str, reason: str, as_of: "datetime | None", json: bool) -> None:
    """Take the step as the operator, and show the merchant as it is then."""
    with servers(f"tessera merchant {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from domain.errors import NotFound

            if (found := runtime.catalogue.merchants.get(code)) is None:
                raise NotFound(what=f"merchant {code!r}", path=("merchant",))
            args = {"merchant": str(found.id)}
            told = await by_hand(runtime, name.upper(), args, None, reason, as_of=as_of)
            await runtime.refresh()
            return told | await _shown(runtime, code)

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, data))


async def _shown(runtime: "Runtime", code: str) -> dict[str, Any]:
    from alliance.exposure import queries
    from alliance.settlement.model import COMMAND_LINE
    from domain.errors import NotFound

    if (found := runtime.catalogue.merchants.get(code)) is None:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    async with runtime.database.session() as session:
        steps = await queries.freezes(session, found.id)
    return {
        "merchant": code,
        "frozenSince": None if found.frozen_since is None else found.frozen_since.isoformat(),
        "history": [
            {
                "kind": step.kind,
                "by": "command line" if step.who == COMMAND_LINE else str(step.who),
                "reason": step.why,
                "asOf": step.as_of.isoformat(),
                "at": step.at.isoformat(),
            }
            for step in steps
        ],
    }


def _show(console: Console, data: dict[str, Any]) -> None:
    since = data["frozenSince"]
    if "approval" in data:
        console.print(f"waits for approval {data['approval']}")
    console.print(f"{data['merchant']} " + (f"is frozen since {since}" if since else "takes part"))
    table = Table("step", "by", "reason", "as of")
    for step in data["history"]:
        table.add_row(step["kind"], step["by"], step["reason"], step["asOf"])
    if data["history"]:
        console.print(table)
