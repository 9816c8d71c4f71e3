"""`tessera approvals`: what waits for a second person. The command line is one person, whoever sits at it."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from server.commands.common import Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console
    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.approvals.commands import About
    from alliance.approvals.model import Approval
    from alliance.runtime import Runtime

    Decide = Callable[[AsyncSession, Runtime, UUID, About], Awaitable[Approval]]

Known = Annotated[UUID, typer.Argument(help="Id of the approval, as `tessera approvals list` shows it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]

approvals = typer.Typer(help="Acts by hand that take a second person.", no_args_is_help=True)


@approvals.command("list")
def list_(
    status: Annotated[str, typer.Option(help="WAITING, APPROVED, REFUSED, WITHDRAWN or all.")] = "WAITING",
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List what the operator's people asked for, newest first."""
    with servers("tessera approvals list") as settings:
        from alliance.approvals.model import ApprovalStatus
        from alliance.approvals.queries import Wanted, page

        if status.upper() not in (*ApprovalStatus.__members__, "ALL"):
            raise WrongUse(f"an approval is {', '.join(ApprovalStatus)}")
        wanted = Wanted(status=None if status.upper() == "ALL" else ApprovalStatus(status.upper()))

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                return [_shown(row) for row in await page(session, wanted, first=first)]

        rows = with_runtime(settings, read)
    answer({"approvals": rows}, json, lambda console: _show(console, rows))


@approvals.command()
def approve(
    approval: Known, reason: Reason = "", dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Have it done. Refused to who asked for it: what was asked for here is approved elsewhere."""

    async def decide(session: "AsyncSession", runtime: "Runtime", id_: UUID, about: "About") -> "Approval":
        from alliance.approvals import commands

        return await commands.approve(session, runtime, id_, about)

    _decide("approve", decide, approval, reason, dry_run, json)


@approvals.command()
def refuse(
    approval: Known, reason: Reason = "", dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Have it not done."""

    async def decide(session: "AsyncSession", _: "Runtime", id_: UUID, about: "About") -> "Approval":
        from alliance.approvals import commands

        return await commands.refuse(session, id_, about)

    _decide("refuse", decide, approval, reason, dry_run, json)


def _decide(name: str, decide: "Decide", approval: UUID, reason: str, dry_run: bool, json: bool) -> None:
    with servers(f"tessera approvals {name}") as settings:
        import alliance.acts  # noqa: F401 - what can be approved
        from alliance.approvals.commands import About
        from alliance.settlement.model import COMMAND_LINE

        async def take(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                found = await decide(session, runtime, approval, About(COMMAND_LINE, reason, now()))
                shown = _shown(found)
                if not dry_run:
                    await session.commit()
                return {**shown, "dryRun": dry_run}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


def _shown(row: "Approval") -> dict[str, Any]:
    from domain.money import MICRO, unscaled

    return {
        "id": str(row.id),
        "act": row.act,
        "args": row.args,
        "amount": None if row.amount is None else unscaled(row.amount, len(str(MICRO)) - 1),
        "reason": row.why,
        "status": row.status,
        "askedAt": row.asked_at,
        "askedBy": str(row.asked_by),
        "outcome": row.outcome,
    }


def _show(console: "Console", rows: list[dict[str, Any]]) -> None:
    for row in rows:
        amount = "" if row["amount"] is None else f"  {row['amount']}"
        console.print(f"{row['id']}  {row['status']}  {row['act']}{amount}  {row['reason']}", highlight=False)
        console.print(f"    {row['args']}", highlight=False)
