"""`tessera agreement`: what merchants agreed on and proposed, and the operator's steps where it consents for them."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.agreements.steps import Act
    from alliance.runtime import Runtime

agreement = typer.Typer(help="Agreements between merchants.", no_args_is_help=True)

One = Annotated[str, typer.Argument(help="The code of one merchant.")]
Other = Annotated[str, typer.Argument(help="The code of the other.")]
Reason = Annotated[str, typer.Option(help="Kept with the step, for both merchants to read.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2027-01-31") from None


@agreement.command("list")
def list_(
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's [default: all].")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List agreements, with the version in force and what is proposed."""
    with servers("tessera agreement list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.agreements import queries

            party = None if merchant is None else _merchants(runtime, merchant)[0]
            async with runtime.database.session() as session:
                rows = await queries.page(session, party, first)
                versions = await queries.versions(session, [row.id for row in rows])
            codes = {id_: known.code for id_, known in runtime.catalogue.merchants_by_id.items()}
            moment = as_of or now()
            return [
                {
                    "merchants": sorted((codes[row.merchant_a], codes[row.merchant_b])),
                    "inForce": _number(queries.in_force(versions[row.id], moment)),
                    "proposed": [one.version for one in versions[row.id] if one.status == "PROPOSED"],
                }
                for row in rows
            ]

        found = with_runtime(settings, read)
    answer({"agreements": found}, json, lambda console: _list(console, found))


@agreement.command()
def show(one: One, other: Other, home: Home = None, json: Json = False) -> None:
    """Show all versions between two merchants, their terms, and who took which step when and why."""
    with servers("tessera agreement show") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                return await _shown(session, runtime, await _agreement(session, runtime, one, other))

        found = with_runtime(settings, read)
    answer(found, json, lambda console: _show(console, found))


@agreement.command()
def accept(
    one: One,
    other: Other,
    version: Annotated[int, typer.Argument(help="Number of the proposed version.")],
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Put a proposed version in force for both merchants, where the alliance says `consent: operator`."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: "UUID", act: "Act") -> None:
        from alliance.agreements.commands import accept as accept_version

        await accept_version(session, runtime.catalogue, (id_, version), act)

    _take("accept", one, other, step, reason, as_of, dry_run, json)


@agreement.command()
def end(
    one: One,
    other: Other,
    on: Annotated[
        date | None,
        typer.Option(parser=_day, metavar="DATE", help="The first day without it [default: the first possible]."),
    ] = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """End what is in force between two merchants, with notice, where the alliance says `consent: operator`."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: "UUID", act: "Act") -> None:
        from alliance.agreements.commands import end as end_agreement

        await end_agreement(session, runtime.catalogue, id_, on=on, act=act)

    _take("end", one, other, step, reason, as_of, dry_run, json)


def _take(
    name: str, one: str, other: str, step: Any, reason: str, as_of: "datetime | None", dry_run: bool, json: bool
) -> None:
    """Take one step as the operator, and show the agreement as it is then."""
    with servers(f"tessera agreement {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.agreements.steps import Act
            from alliance.settlement.model import COMMAND_LINE

            act = Act(runtime.catalogue.alliance.id, COMMAND_LINE, reason, as_of or now())
            async with runtime.database.session() as session:
                found = await _agreement(session, runtime, one, other)
                await step(session, runtime, found.id, act)
                session.expire_all()
                shown = await _shown(session, runtime, await _agreement(session, runtime, one, other))
                await (session.rollback() if dry_run else session.commit())
            return shown | {"dryRun": dry_run}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, data))


def _merchants(runtime: "Runtime", *codes: str) -> list["UUID"]:
    known = runtime.catalogue.merchants
    for code in codes:
        if code not in known:
            raise WrongUse(f"there is no merchant {code!r}")
    return [known[code].id for code in codes]


async def _agreement(session: "AsyncSession", runtime: "Runtime", one: str, other: str) -> Any:
    """The row of two merchants' agreement. Raises WrongUse, NotFound."""
    from alliance.agreements import queries
    from domain.errors import NotFound

    found = await queries.between(session, *_merchants(runtime, one, other))
    if found is None:
        raise NotFound(what=f"an agreement of {one} and {other}")
    return found


async def _shown(session: "AsyncSession", runtime: "Runtime", row: Any) -> dict[str, Any]:
    from alliance.agreements import queries
    from alliance.agreements.rules import runs_off_to

    names = {id_: known.code for id_, known in runtime.catalogue.merchants_by_id.items()}
    versions = (await queries.versions(session, [row.id]))[row.id]
    steps = await queries.steps(session, [(row.id, one.version) for one in versions])
    alliance = runtime.catalogue.alliance
    return {
        "merchants": sorted((names[row.merchant_a], names[row.merchant_b])),
        "versions": [
            {
                "number": one.version,
                "status": one.status,
                "startsAt": one.valid_from,
                "endsAt": one.valid_to,
                "runsOffTo": runs_off_to(one.valid_to, one.terms, alliance)
                if one.valid_to is not None and queries.is_last(versions, one)
                else None,
                "steps": [
                    {"kind": step.kind, "party": names.get(step.party), "reason": step.why, "at": step.as_of}
                    for step in steps.get((row.id, one.version), ())
                ],
                "terms": one.terms,
            }
            for one in versions
        ],
    }


def _number(row: Any) -> int | None:
    return None if row is None else int(row.version)


def _list(console: Console, found: list[dict[str, Any]]) -> None:
    table = Table("merchants", "in force", "proposed")
    for row in found:
        proposed = ", ".join(map(str, row["proposed"]))
        table.add_row(" / ".join(row["merchants"]), str(row["inForce"] or ""), proposed)
    console.print(table)


def _show(console: Console, found: dict[str, Any]) -> None:
    table = Table("version", "status", "from", "to", "spent until", "steps", title=" / ".join(found["merchants"]))
    for row in found["versions"]:
        taken = [f"{step['at']:%Y-%m-%d} {step['kind']} by {step['party'] or 'the operator'}" for step in row["steps"]]
        days = [f"{row[key]:%Y-%m-%d %H:%M} UTC" if row[key] else "" for key in ("startsAt", "endsAt", "runsOffTo")]
        table.add_row(str(row["number"]), row["status"], *days, "\n".join(taken))
    console.print(table)
    if found.get("dryRun"):
        console.print("Dry run: nothing was changed.")
