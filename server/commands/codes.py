"""The keys that sign members' codes: `tessera codes`."""

from typing import TYPE_CHECKING

import typer

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, settings_or_fail

if TYPE_CHECKING:
    from domain.codes.rules import CodeKey

codes = typer.Typer(help="The keys that sign the codes members show at tills.", no_args_is_help=True)


@codes.command()
def rotate(home: Home = None, json: Json = False) -> None:
    """Add a key: the API publishes it from its next start, and signs with it from a day on."""
    try:
        key = settings_or_fail().add_code_key()
    except ValueError as error:
        raise WrongUse(str(error)) from None
    _tell(key, json)


@codes.command()
def retire(home: Home = None, json: Json = False) -> None:
    """Trust the oldest key no more from the next start: codes it signed, also those in feeds to come, are refused."""
    try:
        key = settings_or_fail().retire_code_key()
    except ValueError as error:
        raise WrongUse(str(error)) from None
    if key is None:
        raise Failure(
            "no other key signs yet: add one a day before, with `tessera codes rotate`", exit_code=NO, code="LAST"
        )
    _tell(key, json)


def _tell(key: "CodeKey", json: bool) -> None:
    told = {"kid": key.kid, "signsFrom": key.signs_from.isoformat()}
    answer(told, json, lambda console: console.print(f"{key.kid}  signs from {told['signsFrom']}"))
