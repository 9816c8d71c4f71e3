"""The alliance file: `tessera apply` and `export`."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from server.commands.common import NO, AsOf, Failure, Home, Json, answer, now, servers, with_database
from server.settings import Settings

if TYPE_CHECKING:
    from alliance.file import AllianceFile, Plan
    from domain.database import Database


def apply(
    file: Annotated[Path, typer.Argument(help="The alliance file.", exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Print what an alliance file would change, then apply all of it, or nothing if any of it is refused."""
    parsed = _read(file.read_bytes(), str(file), json)
    with servers("tessera apply") as settings:

        async def run(database: "Database") -> "Plan":
            from alliance import file as alliance_file

            async with database.transaction() as session:
                what = alliance_file.plan if dry_run else alliance_file.apply
                return await what(session, parsed, as_of or now())

        plan = with_database(settings, run)
    answer(
        {**plan.to_json(), "applied": plan.changed and not dry_run}, json, lambda console: _show(console, plan, dry_run)
    )
    if plan.refused:
        raise typer.Exit(NO)


def export(home: Home = None, json: Json = False) -> None:
    """Write the alliance, as it was applied, as an alliance file."""
    with servers("tessera export") as settings:
        from alliance.file import export as export_file

        async def run(database: "Database") -> str:
            async with database.session() as session:
                return await export_file(session)

        text = with_database(settings, run)
    if not text:
        raise Failure("no alliance was applied yet", exit_code=NO, code="NOT_FOUND")
    answer({"file": text}, json, lambda _: print(text, end=""))


def apply_sample(settings: Settings) -> None:
    """Apply the sample alliance to a database that has none."""

    async def run(database: "Database") -> None:
        from sqlalchemy import select

        from domain.programs.model import AllianceRow

        async with database.transaction() as session:
            if await session.scalar(select(AllianceRow.id)) is None:
                from alliance.file import apply as apply_file

                await apply_file(session, _read(content, name, False), now())

    name = "demo.yaml"
    content = (files("server.samples") / name).read_bytes()
    with_database(settings, run)


def _read(content: bytes, name: str, json: bool) -> "AllianceFile":
    """The file, checked. Ends the command with every fault if it has any."""
    from alliance.file import FileErrors, parse

    try:
        return parse(content.decode(), name)
    except UnicodeDecodeError as error:
        raise Failure(f"{name} is not UTF-8: {error}", exit_code=NO, code="BAD_USER_INPUT") from None
    except FileErrors as errors:
        faults = errors.to_json()
        if not json:
            raise Failure(f"{len(faults)} faults:\n{errors}", exit_code=NO, code="BAD_USER_INPUT") from None
        answer({"refused": True, "errors": faults}, json, lambda _: None)
        raise typer.Exit(NO) from None


def _show(console: Console, plan: "Plan", dry_run: bool) -> None:
    for line in plan.lines():
        console.print(line, markup=False, soft_wrap=True)
    if plan.refused:
        console.print("Refused: nothing was applied.")
    elif not plan.changed:
        console.print("Nothing to change.")
    else:
        console.print("Dry run: nothing was applied." if dry_run else "Applied.")
