"""`tessera member`: freezing a member and restoring them, and how one leaves."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from domain.members.reasons import CloseReason, FreezeReason
from server.commands.common import AsOf, Home, Json, answer, aware, now, servers, with_runtime
from server.commands.holders import Holder, holder_of
from server.commands.identifying import recognised, show_recognised

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime
    from domain.ledger.request import Posted

member = typer.Typer(help="Members: what is done for one by hand.", no_args_is_help=True)

Act = Callable[["AsyncSession", "UUID"], Awaitable[None]]


@member.command()
def freeze(
    holder: Holder,
    reason: Annotated[FreezeReason, typer.Option(help="Why, as a code.", case_sensitive=False)],
    until: Annotated[
        datetime | None, typer.Option(parser=aware, metavar="TIME", help="When it ends by itself; else by restore.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="What else there is to say; kept sealed.")] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a member look and move nothing, until then or until they are restored."""

    async def act(session: "AsyncSession", member_id: "UUID") -> None:
        from domain.members import life

        await life.freeze(session, member_id, reason=reason, until=until, as_of=as_of or now(), note=note)

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
def close(
    holder: Holder,
    reason: Annotated[CloseReason, typer.Option(help="Why, as a code.", case_sensitive=False)],
    beneficiary: Annotated[
        str | None, typer.Option(metavar="HOLDER", help="Who gets the points of programmes that give them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would become of everything.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Have a member leave, for good. MEMBER_ASKED: after the days that the alliance gives them to think."""
    with servers("tessera member close") as settings:
        at = as_of or now()

        async def run(runtime: "Runtime") -> dict[str, Any]:
            heir = None if beneficiary is None else await holder_of(runtime.database, beneficiary)
            return await _close(runtime, await holder_of(runtime.database, holder), reason, heir, at, dry_run)

        data = with_runtime(settings, run)
    answer(data, json, lambda console: _show_closing(console, data))


@member.command()
def stay(holder: Holder, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Withdraw that a member leaves, before they are closed."""

    async def act(session: "AsyncSession", member_id: "UUID") -> None:
        from domain.members import leaving

        await leaving.withdraw(session, member_id)

    _do("stay", holder, act, as_of, json)


@member.command()
def show(holder: Holder, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """Show how a member stands, by what they are recognised (masked), and where they joined."""
    _do("show", holder, None, as_of, json)


Reason = Annotated[str, typer.Option(help="Why, in words: kept with it.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")]


@member.command()
def merge(
    survivor: Annotated[str, typer.Argument(help="Who stays: a number or an id.")],
    absorbed: Annotated[str, typer.Argument(help="Who becomes them: a number or an id.")],
    reason: Reason,
    dry_run: Dry = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let one member become another: all that is alive in their wallets moves, and they are found as the other."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from alliance.merging.commands import merge_members

        survivor_id, absorbed_id = [await holder_of(runtime.database, one) for one in (survivor, absorbed)]
        named: Any = {"survivor_id": survivor_id, "absorbed_id": absorbed_id, "client_id": None, "note": reason}
        posted = await merge_members(runtime, as_of=as_of or now(), dry_run=dry_run, **named)
        return await _merged(runtime, posted, survivor_id, dry_run=dry_run)

    with servers("tessera member merge") as settings:
        data = with_runtime(settings, run)
    answer(data, json, lambda console: _show_merged(console, data))


@member.command()
def unmerge(
    absorbed: Annotated[str, typer.Argument(help="Who was merged: a number or an id.")],
    reason: Reason,
    dry_run: Dry = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Undo a merge exactly, as long as what it carried is whole; else say what became of it."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from alliance.merging.commands import unmerge_member
        from domain.members.queries import as_numbered

        async with runtime.database.reader() as session:
            absorbed_id = await as_numbered(session, absorbed) or await holder_of(runtime.database, absorbed)
        named: Any = {"absorbed_id": absorbed_id, "client_id": None, "note": reason}
        posted = await unmerge_member(runtime, as_of=as_of or now(), dry_run=dry_run, **named)
        return await _merged(runtime, posted, absorbed_id, dry_run=dry_run)

    with servers("tessera member unmerge") as settings:
        data = with_runtime(settings, run)
    answer(data, json, lambda console: _show_merged(console, data))


async def _merged(runtime: "Runtime", posted: "Posted", member_id: "UUID", *, dry_run: bool) -> dict[str, Any]:
    found = await _shown(runtime, member_id, now())
    moved = {name: posted.data[name] for name in ("moved", "memberships")}
    return {"member": found["member"], **moved, "dryRun": dry_run}


def _show_merged(console: Console, data: dict[str, Any]) -> None:
    would = "would move" if data["dryRun"] else "moved"
    console.print(f"{data['member']}: {data['memberships']} memberships {would}")
    for one in data["moved"]:
        owed = f", {one['debt']} owed" if one["debt"] else ""
        console.print(f"  {one['currency']}: {one['points']} points in {one['lots']} lots{owed} {would}")


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


async def _close(
    runtime: "Runtime", member_id: "UUID", reason: CloseReason, heir: "UUID | None", as_of: datetime, dry_run: bool
) -> dict[str, Any]:
    from alliance.leaving.commands import closes_at, settle_one, would_leave
    from domain.members import leaving
    from domain.members.life import locked
    from domain.members.model import MemberClosing

    own_wish = reason == CloseReason.MEMBER_ASKED
    at = closes_at(runtime, as_of, own_wish=own_wish)
    named: dict[str, Any] = {"reason": reason, "own_wish": own_wish, "beneficiary_id": heir, "closes_at": at}
    async with runtime.database.transaction() as session:
        jurisdiction = (await locked(session, member_id)).jurisdiction
        row = MemberClosing(holder_id=member_id, asked_at=as_of, **named)
        left, ends = await would_leave(runtime, session, row, jurisdiction)
        if not dry_run:
            await leaving.ask(session, member_id, as_of=as_of, **named)
    if not dry_run:
        await settle_one(runtime, member_id, as_of)
    data = await _shown(runtime, member_id, as_of)
    data |= {"closesAt": at.isoformat(), "ends": [{"currency": c, "points": p, "fate": f.value} for c, p, f in ends]}
    return data | {"holds": left.holds, "pending": left.pending, "rights": left.rights, "pools": left.pools}


def _show_closing(console: Console, data: dict[str, Any]) -> None:
    console.print(f"{data['member']} is {data['status']}, closes at {data['closesAt']}")
    for end in data["ends"]:
        console.print(f"  {end['points']} {end['currency']} {end['fate'].lower()}")
    counts = ", ".join(f"{data[name]} {name}" for name in ("holds", "pending", "rights", "pools"))
    console.print(f"  {counts}")
