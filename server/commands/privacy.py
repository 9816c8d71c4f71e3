"""`tessera member erase|export|hold|release`: what a person may ask, and what keeps it waiting."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from domain.privacy.reasons import ErasureReason
from server.commands.common import AsOf, Home, Json, answer, aware, now, servers, with_runtime
from server.commands.holders import Holder, holder_of

if TYPE_CHECKING:
    from alliance.runtime import Runtime


def erase(
    holder: Holder,
    reason: Annotated[ErasureReason, typer.Option(help="Why, as a code.", case_sensitive=False)],
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Forget a person: destroy their key, and keep the books. Nothing undoes it."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from alliance.leaving.commands import settle_one
        from alliance.privacy import erasing

        member_id, at = await holder_of(runtime.database, holder), as_of or now()
        async with runtime.database.transaction() as session:
            await erasing.erase(session, member_id, reason=reason, as_of=at)
        await settle_one(runtime, member_id, at)
        return {"erased": str(member_id), "reason": reason.value}

    with servers("tessera member erase") as settings:
        data = with_runtime(settings, run)
    answer(data, json, lambda console: console.print(f"{data['erased']} is nobody any more."))


def export(
    holder: Holder,
    to: Annotated[Path | None, typer.Option("--to", help="Write it into this file; else on standard output.")] = None,
    home: Home = None,
    json: Json = True,
) -> None:
    """Write all that is known of a person, as one JSON object."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from alliance.privacy.exporting import export_member
        from domain.reads.commands import note_reads
        from domain.reads.model import Reader, ReadKind

        member_id = await holder_of(runtime.database, holder)
        async with runtime.database.transaction() as session:
            await note_reads(session, Reader("command line"), [member_id], ReadKind.EXPORT, now())
            return await export_member(session, runtime.catalogue, member_id, now())

    with servers("tessera member export") as settings:
        told = with_runtime(settings, run)
    if to is None:
        answer(told, json, lambda console: console.print_json(data=told))
        return
    to.touch(mode=0o600)
    to.write_bytes(orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2) + b"\n")
    answer({"written": str(to)}, json, lambda console: console.print(f"Written to {to}."))


def hold(
    holder: Holder,
    reason: Annotated[str, typer.Option(help="Such as the number of a case; without personal data.")],
    until: Annotated[
        datetime | None, typer.Option(parser=aware, metavar="TIME", help="Its end; else it is released.")
    ] = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Keep what is known of a member under a legal hold: erasure waits for its end."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from domain.privacy.holds import place_hold

        member_id = await holder_of(runtime.database, holder)
        async with runtime.database.transaction() as session:
            await place_hold(session, member_id, reason=reason, until=until, as_of=as_of or now())
        return {"held": str(member_id), "until": None if until is None else until.isoformat()}

    with servers("tessera member hold") as settings:
        data = with_runtime(settings, run)
    answer(data, json, lambda console: console.print(f"{data['held']} is kept until {data['until'] or 'released'}."))


def release(holder: Holder, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """End all legal holds on a member's data."""

    async def run(runtime: "Runtime") -> dict[str, Any]:
        from domain.privacy.holds import release_holds

        member_id = await holder_of(runtime.database, holder)
        async with runtime.database.transaction() as session:
            ended = await release_holds(session, member_id, as_of or now())
        return {"member": str(member_id), "released": ended}

    with servers("tessera member release") as settings:
        data = with_runtime(settings, run)
    answer(data, json, lambda console: console.print(f"{data['released']} legal holds have ended."))
