"""`tessera webhook`: where a merchant or the operator is sent what happens, and what became of sending it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import Home, Json, answer, now, servers, with_runtime
from server.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime
    from alliance.webhooks.model import Webhook

webhook = typer.Typer(help="Where what happens is sent.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Of the webhook, as listed.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Of events, such as POINTS_EARNED [default: all].")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]


@webhook.command()
def create(
    url: Annotated[str, typer.Argument(help="https://... on the public network.")],
    merchant: Annotated[str | None, typer.Option(help="Whose it is [default: the operator's].")] = None,
    kind: Kinds = None,
    description: Description = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Be sent what happens from now on. Prints the secret, once."""
    with servers("tessera webhook create") as settings:
        from alliance.webhooks import commands
        from domain.errors import NotFound

        async def make(runtime: "Runtime") -> dict[str, Any]:
            owner = None if merchant is None else runtime.catalogue.merchants.get(merchant)
            if merchant is not None and owner is None:
                raise NotFound(what=f"merchant {merchant[:40]!r}", path=("merchant",))
            named: dict[str, Any] = {"url": url, "kinds": kind or (), "description": description or ""}
            async with runtime.database.transaction() as session:
                made = await commands.create(
                    session, owner=None if owner is None else owner.id, private=settings.webhook_private, **named
                )
                return _shown(runtime, made) | {"secret": _secret(settings, made)}

        data = with_runtime(settings, make)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command("list")
def list_(home: Home = None, json: Json = False) -> None:
    """All webhooks, oldest first."""
    with servers("tessera webhook list") as settings:
        from alliance.webhooks.queries import webhooks

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                found = await webhooks(session, None, any_owner=True, size=100_000)
            return [_shown(runtime, one) for one in found]

        rows = with_runtime(settings, read)
    answer({"webhooks": rows}, json, lambda console: _show(console, rows))


@webhook.command()
def show(
    id_: Id,
    first: Annotated[int, typer.Option(min=1, max=10_000, help="So many deliveries.")] = 20,
    home: Home = None,
    json: Json = False,
) -> None:
    """One webhook with its latest deliveries."""
    with servers("tessera webhook show") as settings:
        from alliance.webhooks.queries import deliveries

        async def read(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            rows = await deliveries(session, found.id, None, size=first)
            names = ("position", "kind", "status", "attempts", "due_at", "response", "error")
            sent = [{name: getattr(row, name) for name in names} for row in rows]
            return {"deliveries": [row | {"due_at": row["due_at"].isoformat()} for row in sent]}

        data = _changed(settings, id_, read)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command()
def update(
    id_: Id,
    url: Annotated[str | None, typer.Option(help="https://... on the public network.")] = None,
    kind: Kinds = None,
    description: Description = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Change what is named; the rest stays."""
    with servers("tessera webhook update") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            private = settings.webhook_private
            await commands.change(session, found, private=private, url=url, kinds=kind, description=description)
            return {}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command()
def rotate(id_: Id, home: Home = None, json: Json = False) -> None:
    """Sign by a new secret, and for a day by the one before too. Prints the new one, once."""
    with servers("tessera webhook rotate") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            await commands.rotate(session, found, now())
            return {"secret": _secret(settings, found)}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command()
def enable(
    id_: Id,
    stop: Annotated[bool, typer.Option("--stop", help="Stop sending instead.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Send again, from where it stopped."""
    with servers("tessera webhook enable") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            await commands.enable(session, found, not stop)
            return {}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command()
def delete(id_: Id, home: Home = None, json: Json = False) -> None:
    """Delete it, with what was being sent."""
    with servers("tessera webhook delete") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            await commands.remove(session, found)
            return {"deleted": True}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print(f"{id_} is gone"))


@webhook.command("test")
def try_out(id_: Id, home: Home = None, json: Json = False) -> None:
    """Send a message that says nothing; `show` says what came of it."""
    with servers("tessera webhook test") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            await commands.test(session, found)
            return {}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print_json(data=data))


@webhook.command()
def replay(
    id_: Id,
    after: Annotated[int, typer.Option(min=-1, help="The number after which to send again; -1 is all.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Send again all after a number, as the same messages."""
    with servers("tessera webhook replay") as settings:
        from alliance.webhooks import commands

        async def change(runtime: "Runtime", session: "AsyncSession", found: "Webhook") -> dict[str, Any]:
            await commands.replay(session, found, after)
            return {}

        data = _changed(settings, id_, change)
    answer(data, json, lambda console: console.print_json(data=data))


Change = Callable[["Runtime", "AsyncSession", "Webhook"], Awaitable[dict[str, Any]]]


def _changed(settings: Settings, id_: str, change: Change) -> dict[str, Any]:
    """The webhook as it is after a change, with what else that answers."""
    from alliance.webhooks import commands
    from domain.errors import NotFound
    from resolvers import ids

    async def act(runtime: "Runtime") -> dict[str, Any]:
        try:
            (webhook_id,) = ids.decode_as("Webhook", id_, 1)
        except NotFound:
            raise NotFound(what="webhook", path=("webhook",)) from None
        async with runtime.database.transaction() as session:
            found = await commands.locked(session, webhook_id, None, any_owner=True)
            more = await change(runtime, session, found)
            return _shown(runtime, found) | more

    return with_runtime(settings, act)


def _shown(runtime: "Runtime", found: "Webhook") -> dict[str, Any]:
    from resolvers import ids

    owner = None if found.merchant_id is None else runtime.catalogue.merchants_by_id.get(found.merchant_id)
    return {
        "id": ids.encode("Webhook", found.id),
        "merchant": None if owner is None else owner.code,
        "url": found.url,
        "kinds": found.kinds,
        "status": str(found.status),
        "why": found.why,
        "place": found.place,
        "failingSince": None if found.failing_since is None else found.failing_since.isoformat(),
        "description": found.description,
    }


def _secret(settings: Settings, found: "Webhook") -> str:
    from alliance.webhooks.rules import master_of, secret_of

    return secret_of(master_of(settings.secret("fingerprint")), found.id, found.generation)


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    names = ("id", "merchant", "url", "status", "place", "why")
    table = Table(*names)
    for row in rows:
        table.add_row(*(str(row[name] if row[name] is not None else "") for name in names))
    console.print(table)
