"""`tessera member tag`: tags by rule, now instead of at night."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime

MEMBERS_AT_ONCE = 5000


def tag_members(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Put and take tags by the rules of the alliance file, over all members."""
    with servers("tessera member tag") as settings:

        async def run(runtime: "Runtime") -> dict[str, Any]:
            return {"dryRun": dry_run, "tags": await tag_all(runtime, as_of or now(), dry_run)}

        data = with_runtime(settings, run)
    answer(data, json, lambda console: _show(console, data))


async def tag_all(runtime: "Runtime", as_of: datetime, dry_run: bool) -> list[dict[str, Any]]:
    """What each rule came to; a transaction for every so many members."""
    from dataclasses import asdict

    from domain.profiles.tagging import Tally, rules_of, run
    from domain.stages.commands import cut_members

    await runtime.refresh()
    rules = rules_of(runtime.catalogue)
    sums = {rule.name: Tally() for rule in rules}
    async with runtime.database.reader() as session:
        firsts = await cut_members(session, MEMBERS_AT_ONCE)
    for first, before in zip(firsts, [*firsts[1:], None], strict=True):
        async with runtime.database.transaction() as session:
            found = await run(session, runtime.catalogue, rules, (first, before), as_of, dry_run=dry_run)
        for name, tally in found.items():
            sums[name].add(tally)
    return [{"tag": name, **asdict(tally)} for name, tally in sums.items()]


def _show(console: Console, data: dict[str, Any]) -> None:
    table = Table("tag", "matching", "put", "taken", "failed", "why")
    for one in data["tags"]:
        table.add_row(*(str(one[name] or "") if name == "why" else str(one[name]) for name in one))
    console.print(table)
    if data["dryRun"]:
        console.print("nothing was written")
