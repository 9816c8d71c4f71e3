"""`tessera replay`: real purchases through the alliance."""

from typing import Annotated

import typer

from server.commands.common import NO, Home, Json, answer, servers


def replay(
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many baskets [default: all].")] = None,
    brands: Annotated[int, typer.Option(min=2, max=8, help="How many brands the shop is divided into.")] = 6,
    sample: Annotated[bool, typer.Option("--sample", help="The sample, even where there is more.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Replay a year of grocery shopping: the sample that comes along, or all of it with the extra `replay`."""
    with servers("tessera replay") as settings:
        from server.replay.run import run_replay

        outcome = run_replay(settings, limit=limit, brands=brands, sample=sample, quiet=json)
    answer(outcome.to_json(), json, outcome.show)
    if not outcome.balanced:
        raise typer.Exit(NO)
