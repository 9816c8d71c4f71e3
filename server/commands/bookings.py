"""`tessera right reserve`, `release` and `restore`: a use set aside, given up, and taken back, by hand."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from server.commands.common import Home, Json, WrongUse, answer, aware, servers, with_runtime
from server.commands.rights import Code, Key, _call, _codes, _find, _read, _told

if TYPE_CHECKING:
    from alliance.runtime import Runtime
    from domain.benefits.model import Right


def reserve(
    code: Code,
    merchant: Annotated[str, typer.Option(help="The code of the merchant where it is to be used.")],
    until: Annotated[
        datetime | None,
        typer.Option(parser=aware, metavar="TIME", help="For how long, RFC 3339 [default: 15 minutes]."),
    ] = None,
    cancel_until: Annotated[
        datetime | None,
        typer.Option(parser=aware, metavar="TIME", help="The member comes, or cancels by then."),
    ] = None,
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Set one use of a right aside, and say the id of the booking."""
    with servers("tessera right reserve") as settings:
        from alliance.benefits.commands import reserve_request

        async def act(runtime: "Runtime") -> dict[str, Any]:
            call = _call(runtime, settings, merchant, key, f"reserve {code} {until} {cancel_until}")
            found = await _find(runtime, settings, code)
            hashed = _codes(settings).hashed(code)
            request = reserve_request(runtime, call, found, until=until, cancel_until=cancel_until, code_hash=hashed)
            posted = await runtime.engine.post(request)
            return {"booking": posted.data["booking"]} | _told(await _read(runtime, (found.holder_id, found.id)))

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print(said["booking"]))


def release(
    code: Code,
    booking: Annotated[UUID, typer.Argument(metavar="BOOKING", help="As `right reserve` said it.")],
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give a booking up. In time it costs nothing; too late it is a no-show, where that has a price."""
    with servers("tessera right release") as settings:
        from alliance.benefits.commands import end_booking_request
        from domain.benefits.queries import booking as read_booking
        from domain.errors import NotFound

        async def act(runtime: "Runtime") -> dict[str, Any]:
            found = await _find(runtime, settings, code)
            async with runtime.database.session() as session:
                made = await read_booking(session, (found.holder_id, booking))
            if made is None or made.right_id != found.id:
                raise NotFound(what=f"booking {booking}")
            at = runtime.catalogue.merchants_by_id[made.merchant_id].code
            call = _call(runtime, settings, at, key, f"release {booking}")
            posted = await runtime.engine.post(end_booking_request(runtime, call, found, booking))
            told = _told(await _read(runtime, (found.holder_id, found.id)))
            return {"noShow": bool(posted.data.get("noShow"))} | told

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print("a no-show" if said["noShow"] else "free again"))


def restore(
    code: Code,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    operation: Annotated[
        UUID | None, typer.Option(metavar="ID", help="The use, no-show or cancellation [default: the last one].")
    ] = None,
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Undo a use, a no-show or a cancellation, and what was owed for it."""
    with servers("tessera right restore") as settings:
        from alliance.benefits.commands import restore_request

        async def act(runtime: "Runtime") -> dict[str, Any]:
            found = await _find(runtime, settings, code)
            undone, merchant_id = await _last(runtime, found, operation)
            call = _call(
                runtime, settings, runtime.catalogue.merchants_by_id[merchant_id].code, key, f"restore {undone}"
            )
            posted = await runtime.engine.post(restore_request(call, found, undone, reason=reason))
            told = _told(await _read(runtime, (found.holder_id, found.id)))
            return {"restored": posted.data["restored"], "operation": str(undone)} | told

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print(f"restored; {said['remaining']} left"))


async def _last(runtime: "Runtime", right: "Right", operation: UUID | None) -> tuple[UUID, UUID]:
    """What is to be undone, and where it was done: the one that is named, or the last that still stands."""
    from domain.benefits.queries import moves
    from domain.errors import NotFound

    place = (right.holder_id, right.id)
    async with runtime.database.session() as session:
        done = (await moves(session, [place]))[place]
    undone = {one.reverses for one in done}
    wanted = ("RIGHT_USE", "RIGHT_NO_SHOW", "RIGHT_CANCEL")
    for one in reversed(done):
        if one.operation_id == operation or (
            operation is None and one.kind in wanted and one.operation_id not in undone
        ):
            return one.operation_id, one.merchant_id
    if operation is None:
        raise WrongUse("nothing was done to it that could be undone")
    raise NotFound(what=f"operation {operation}")
