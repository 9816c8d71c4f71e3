"""`tessera import`: what a programme brings along from the system before this one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.common import NO, AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime
    from server.importing.balances import Outcome

importing = typer.Typer(help="Bring in what a programme has from the system before this one.", no_args_is_help=True)


@importing.command()
def balances(
    file: Annotated[
        Path, typer.Argument(help="CSV, or Parquet (.parquet).", exists=True, dir_okay=False, readable=True)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file; print what it comes to.")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the good rows although others are refused.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where refused rows are listed, as CSV [default: FILE.refused.csv].")
    ] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Import opening balances, each a lot, once: the whole file is checked before the first row is written.

    Broken off, it goes on when it is run again. Refused rows can be corrected in the report, which is a file as this.
    """
    listed = report or file.with_name(f"{file.name}.refused.csv")
    if listed.resolve() == file.resolve():
        raise WrongUse("the report would overwrite the file")
    with servers("tessera import") as settings:
        from server.importing.balances import run_import

        async def run(runtime: "Runtime") -> "Outcome":
            return await run_import(
                runtime,
                file,
                listed,
                secret=settings.secret("fingerprint"),
                as_of=as_of or now(),
                dry_run=dry_run,
                skip_refused=skip_refused,
                quiet=json,
            )

        outcome = with_runtime(settings, run)
    answer(outcome.to_json(), json, outcome.show)
    if outcome.refused:
        raise typer.Exit(NO)
