"""`tessera keys`: the keys that wrap members' keys."""

from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from server.commands.common import Home, Json, answer, servers, with_database
from server.commands.proving import Progress

if TYPE_CHECKING:
    from domain.database import Database
    from domain.privacy.keys import KeyProvider

keys = typer.Typer(help="The keys that wrap members' keys.", no_args_is_help=True)


@keys.command("list")
def list_(home: Home = None, json: Json = False) -> None:
    """List the wrapping keys by id, the one in use last, and whether members' keys are still wrapped by them."""
    with servers("tessera keys list") as settings:
        told = {"keys": _shown(settings.keys(), with_database(settings, _in_use))}
    answer(told, json, lambda console: _show(console, told))


@keys.command()
def rotate(home: Home = None, json: Json = False) -> None:
    """Add a wrapping key, and wrap all members' keys by it: what they seal stays as it is, and nothing stops.

    Broken off, it is run again, and adds no further key. Where the settings name the keys, put the new one last there,
    restart, and run this.
    """
    with servers("tessera keys rotate") as settings:

        async def rewrap(database: "Database") -> tuple[int, set[str]]:
            from domain.privacy.commands import NIL, rewrap_some, wrapping_keys_in_use

            async with database.session() as session:
                in_use = await wrapping_keys_in_use(session)
            wrapping = settings.keys().wrapping()
            if in_use <= {wrapping[-1].id}:
                settings.add_wrapping_key()
            done, told, last = 0, Progress(), NIL
            while True:
                async with database.transaction() as session:
                    holders = await rewrap_some(session, last)
                if not holders:
                    return done, await _in_use(database)
                done, last = done + len(holders), holders[-1]
                told("keys", done, done)

        done, in_use = with_database(settings, rewrap)
        told = {"rewrapped": done, "keys": _shown(settings.keys(), in_use)}
    answer(told, json, lambda console: _show(console, told))


@keys.command()
def retire(home: Home = None, json: Json = False) -> None:
    """Throw away the wrapping keys that no member's key is wrapped by, but for the newest. A backup may need them."""
    with servers("tessera keys retire") as settings:
        in_use = with_database(settings, _in_use)
        gone = settings.retire_wrapping_keys(in_use)
        told = {"retired": gone, "keys": _shown(settings.keys(), in_use)}
    answer(told, json, lambda console: _show(console, told))


async def _in_use(database: "Database") -> set[str]:
    from domain.privacy.commands import wrapping_keys_in_use

    async with database.session() as session:
        return await wrapping_keys_in_use(session)


def _shown(provider: "KeyProvider", in_use: set[str]) -> list[dict[str, Any]]:
    return [{"id": key.id, "inUse": key.id in in_use} for key in provider.wrapping()]


def _show(console: Console, told: dict[str, Any]) -> None:
    for name in ("rewrapped", "retired"):
        if name in told:
            console.print(f"{name}: {told[name]}")
    for key in told["keys"]:
        console.print(f"{key['id']}  {'wraps members’ keys' if key['inUse'] else 'wraps nothing'}", markup=False)
