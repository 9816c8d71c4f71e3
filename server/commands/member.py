"""`tessera member`: freezing a member and restoring them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from domain.members.reasons import FreezeReason
from server.commands.common import AsOf, Home, Json, answer, aware, now, servers, with_runtime
from server.commands.holders import Holder, holder_of
from server.commands.identifying import recognised, show_recognised

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime

member = typer.Typer(help="Members: who may move points, and who may not for now.", no_args_is_help=True)

Act = Callable[["AsyncSession", "UUID"], Awaitable[None]]


@member.command()
def freeze(
    holder: Holder,
    reason: Annotated[FreezeReason, typer.Option(help="Why, as a code.", case_sensitive=False)],
    until: Annotated[
        datetime | None, typer.Option(parser=aware, metavar="TIME", help="When it ends by itself; else by restore.")
    ] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a member look and move nothing, until then or until they are restored."""

    async def act(session: "AsyncSession", member_id: "UUID") -> None:
        from domain.members import life

        await life.freeze(session, member_id, reason=reason, until=until, as_of=as_of or now())

    _do("freeze", holder, act, as_of, json)


@member.command()
def restore(
    holder: Holder,
    reason: Annotated[str, typer.Option(help="A word for the history, without personal data.")],
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a frozen member move points again."""

    async def act(session: "AsyncSession", member_id: "UUID") -> None:
        from domain.members import life

        await life.restore(session, member_id, reason=reason, as_of=as_of or now())

    _do("restore", holder, act, as_of, json)


@member.command()
def show(holder: Holder, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Show how a member stands, by what they are recognised (masked), and where they joined."""
    _do("show", holder, None, as_of, json)


def _do(name: str, holder: str, act: Act | None, as_of: datetime | None, json: bool) -> None:
    """Act as the operator, and show the member as they are then."""
    with servers(f"tessera member {name}") as settings:

        async def run(runtime: "Runtime") -> dict[str, Any]:
            member_id = await holder_of(runtime.database, holder)
            if act is not None:
                async with runtime.database.transaction() as session:
                    await act(session, member_id)
            return await _shown(runtime, member_id, as_of or now())

        data = with_runtime(settings, run)
    answer(data, json, lambda console: _show(console, data))


async def _shown(runtime: "Runtime", member_id: "UUID", as_of: datetime) -> dict[str, Any]:
    from domain.errors import NotFound
    from domain.members.queries import by_ids

    async with runtime.database.session() as session:
        found = (await by_ids(session, [member_id])).get(member_id)
    if found is None:
        raise NotFound(what="member", path=("member",))
    status = found.status_at(as_of)
    frozen = status == "FROZEN"
    return {
        "member": found.number,
        "status": status.value,
        "since": (found.status_since or found.joined_at).isoformat(),
        "reason": found.status_reason if frozen else None,
        "until": found.frozen_until.isoformat() if frozen and found.frozen_until is not None else None,
    } | await recognised(runtime, member_id)


def _show(console: Console, data: dict[str, Any]) -> None:
    until = f" until {data['until']}" if data["until"] else ""
    why = f" ({data['reason']})" if data["reason"] else ""
    console.print(f"{data['member']} is {data['status']} since {data['since']}{until}{why}")
    show_recognised(console, data)
