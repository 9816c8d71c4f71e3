"""`tessera claims`: what merchants object to and claim, and what the operator says and decides about it."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from server.commands.common import AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from alliance.disputes.life import Move
    from alliance.disputes.model import Dispute, DisputeStep
    from alliance.runtime import Runtime

Known = Annotated[UUID, typer.Argument(help="Id of the claim, as `tessera claims list` shows it.")]
Amount = Annotated[str, typer.Option(help="In the settlement currency, such as 12.50.")]
Text = Annotated[str, typer.Option(help="Both parties read it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]

claims = typer.Typer(help="What merchants object to and claim of each other.", no_args_is_help=True)


@claims.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also those that wait for a merchant.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="Those that are decided, newest first.")] = False,
    merchant: Annotated[str | None, typer.Option(help="Only those of this merchant.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List those that wait for the operator, by their deadlines."""
    with servers("tessera claims list") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.disputes import queries

            operator = runtime.catalogue.alliance.id
            wanted = queries.Wanted(
                other=None if merchant is None else _merchant(runtime, merchant),
                is_open=not decided,
                waits_for=None if everything or decided else operator,
                operator_id=operator,
            )
            async with runtime.database.session() as session:
                listed = queries.newest if decided else queries.by_deadline
                return [_shown(runtime, row) for row in await listed(session, wanted, first=first)]

        rows = with_runtime(settings, read)
    answer({"claims": rows}, json, lambda console: _show(console, rows))


@claims.command()
def show(claim: Known, home: Home = None, json: Json = False) -> None:
    """Show a claim, and all that was said and done about it."""
    with servers("tessera claims show") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            from alliance.disputes import queries
            from domain.errors import NotFound

            async with runtime.database.session() as session:
                found = (await queries.by_ids(session, [claim], None)).get(claim)
                if found is None:
                    raise NotFound(what=f"claim {claim}")
                steps = (await queries.steps(session, [claim]))[claim]
                files = await queries.files(session, [(step.dispute_id, step.seq) for step in steps])
                named = {seq: [file.name for file in kept] for (_, seq), kept in files.items()}
                return _shown(runtime, found) | {"steps": [_step(runtime, step, named) for step in steps]}

        data = with_runtime(settings, read)
    answer(data, json, lambda console: _show_full(console, data))


@claims.command("answer")
def answer_(
    claim: Known,
    move: Annotated[str, typer.Argument(help="NOTE; of a claim on the operator ACCEPT, ACCEPT_PARTLY, REJECT, ...")],
    text: Text = "",
    amount: Annotated[str | None, typer.Option(help="Where the move takes one.")] = None,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Say something about a claim; or answer one that is about what the operator is owed or owes."""
    with servers("tessera claims answer") as settings:
        from alliance.disputes.life import Move
        from resolvers.claims import ANSWERS

        if move.upper() not in ANSWERS:
            raise WrongUse(f"a move is one of {', '.join(ANSWERS)}")
        data = _take(settings, claim, Move(move.upper()), amount, text, as_of, dry_run)
    answer(data, json, lambda console: _show(console, [data]))


@claims.command()
def decide(
    claim: Known,
    amount: Amount,
    text: Text,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Decide between the two: how much of a claim is accepted, from 0 to all of it, and why."""
    with servers("tessera claims decide") as settings:
        from alliance.disputes.life import Move

        data = _take(settings, claim, Move.DECIDE, amount, text, as_of, dry_run)
    answer(data, json, lambda console: _show(console, [data]))


def _take(
    settings: Any, claim: UUID, move: "Move", amount: str | None, text: str, as_of: "datetime | None", dry_run: bool
) -> dict[str, Any]:
    async def take(runtime: "Runtime") -> dict[str, Any]:
        from alliance.disputes.deciding import take_step
        from alliance.settlement.model import COMMAND_LINE
        from domain.money import scaled

        alliance = runtime.catalogue.alliance
        about: dict[str, Any] = {"party_id": alliance.id, "who": COMMAND_LINE, "as_of": as_of or now()}
        named = None if amount is None else scaled(amount, 6)
        async with runtime.database.session() as session:
            found = await take_step(session, alliance, claim, move, text=text, amount=named, **about)
            shown = _shown(runtime, found)
            if not dry_run:
                await session.commit()
            return shown | {"dryRun": dry_run}

    return with_runtime(settings, take)


def _merchant(runtime: "Runtime", code: str) -> UUID:
    from domain.errors import NotFound

    if code not in runtime.catalogue.merchants:
        raise NotFound(what=f"merchant {code!r}")
    return runtime.catalogue.merchants[code].id


def _name(runtime: "Runtime", party: UUID) -> str:
    known = runtime.catalogue.merchants_by_id.get(party)
    return runtime.catalogue.alliance.code if known is None else known.code


def _money(micro: int | None) -> str | None:
    from domain.money import unscaled

    return None if micro is None else unscaled(micro, 6)


def _shown(runtime: "Runtime", row: "Dispute") -> dict[str, Any]:
    return {
        "id": str(row.id),
        "door": row.door,
        "status": row.status,
        "round": row.round,
        "by": _name(runtime, row.raiser_id),
        "against": _name(runtime, row.against_id),
        "code": row.code,
        "claimed": _money(row.claimed),
        "granted": _money(row.offered),
        "accepted": _money(row.accepted),
        "raisedAt": row.raised_at,
        "dueAt": None if row.decided_at is not None else row.due_at,
        "decidedAt": row.decided_at,
    }


def _step(runtime: "Runtime", step: "DisputeStep", files: dict[int, list[str]]) -> dict[str, Any]:
    return {
        "number": step.seq,
        "move": step.move,
        "side": step.side,
        "party": _name(runtime, step.party_id),
        "asOf": step.as_of,
        "amount": _money(step.amount),
        "text": step.text,
        "attachments": files.get(step.seq, []),
    }


def _show(console: "Console", rows: list[dict[str, Any]]) -> None:
    for row in rows:
        due = "" if row["dueAt"] is None else f"  due {row['dueAt']:%Y-%m-%d %H:%M %Z}"
        came = "" if row["accepted"] is None else f", {row['accepted']} accepted"
        who = f"{row['by']} of {row['against']}: {row['claimed']}{came} ({row['code']})"
        console.print(f"{row['id']}  {row['door']}  {row['status']}  {who}{due}", highlight=False, markup=False)
    if any(row.get("dryRun") for row in rows):
        console.print("Dry run: nothing was changed.")


def _show_full(console: "Console", row: dict[str, Any]) -> None:
    _show(console, [row])
    for step in row["steps"]:
        amount = "" if step["amount"] is None else f" {step['amount']}"
        files = "".join(f" [{name}]" for name in step["attachments"])
        head = f"{step['number']}. {step['asOf']:%Y-%m-%d %H:%M} {step['party']} {step['move']}{amount}"
        console.print(f"  {head}: {step['text']}{files}", highlight=False, markup=False, soft_wrap=True)
