"""`tessera report reads`: who read whose personal data, and what of it was unusual."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from server.commands.common import Home, Json, answer, servers, with_runtime
from server.commands.holders import holder_of
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime


def reads(
    member: Annotated[str | None, typer.Option(help="Only of this member: an id or a number.")] = None,
    client: Annotated[UUID | None, typer.Option(help="Only by this client.")] = None,
    first: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    alerts: Annotated[bool, typer.Option("--alerts", help="Instead, the hours in which a client read much.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Who read whose personal data, newest first."""

    async def read(runtime: "Runtime") -> list[dict[str, Any]]:
        from domain.reads import queries

        holder_id = None if member is None else await holder_of(runtime.database, member)
        async with runtime.database.session() as session:
            if alerts:
                found = await queries.alerts(session, first=first)
                return [
                    {"client": str(one.client_id), "hour": one.hour, "members": one.members, "usual": one.usual}
                    for one in found
                ]
            rows = await queries.newest(session, first=first, holder_id=holder_id, client_id=client)
        merchants = runtime.catalogue.merchants_by_id
        return [
            {
                "at": row.read_at,
                "member": str(row.holder_id),
                "what": row.what,
                "viewer": row.viewer,
                "client": None if row.client_id is None else str(row.client_id),
                "merchant": None if row.merchant_id is None else merchants[row.merchant_id].code,
                "requestId": row.request_id,
            }
            for row in rows
        ]

    with servers("tessera report reads") as settings:
        rows = with_runtime(settings, read)
    names = (
        ("client", "hour", "members", "usual") if alerts else ("at", "member", "what", "viewer", "client", "merchant")
    )
    answer(
        {"reads" if not alerts else "alerts": rows},
        json,
        lambda console: show_rows(console, names, [{name: row[name] for name in names} for row in rows]),
    )
