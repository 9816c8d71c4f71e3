"""Who may call: `tessera client create` and `tessera token`."""

from typing import Annotated
from uuid import UUID

import typer

from server.commands.common import Home, Json, WrongUse, answer, servers, with_database

Merchant = Annotated[str | None, typer.Option(help="Code of the merchant, for kind merchant.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="May be given many times [default: the kind's own].")]

client = typer.Typer(help="Systems that may call.", no_args_is_help=True)


@client.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    kind: Annotated[str, typer.Option(help="merchant, operator or auditor.")],
    merchant: Merchant = None,
    scope: Scopes = None,
    public: Annotated[bool, typer.Option("--public", help="An app in members' hands: it has no secret.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a client, and print its id and secret: the secret is shown this once."""
    with servers("tessera client create") as settings:
        from domain.database import Database
        from server.access.clients import create_client

        async def make(database: Database) -> tuple[str, str]:
            async with database.transaction() as session:
                id_, secret = await create_client(session, name, kind, merchant, scope, public=public)
                return str(id_), secret

        id_, secret = with_database(settings, make)
    answer({"id": id_, "secret": secret}, json, lambda console: console.print(f"id      {id_}\nsecret  {secret}"))


@client.command("disable")
def disable(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the client.")], home: Home = None, json: Json = False
) -> None:
    """Let a client call no more: its tokens are refused within seconds, and so are those of members through it."""
    try:
        client_id = UUID(id_)
    except ValueError:
        raise WrongUse(f"{id_!r} is no id of a client") from None
    with servers("tessera client disable") as settings:
        from domain.database import Database
        from server.access.clients import disable_client

        async def do(database: Database) -> None:
            async with database.transaction() as session:
                await disable_client(session, client_id)

        with_database(settings, do)
    answer({"id": id_, "disabled": True}, json, lambda console: console.print(f"{id_} is disabled"))


def token(
    kind: Annotated[str, typer.Option(help="operator, auditor, merchant or member.")],
    merchant: Merchant = None,
    member: Annotated[str | None, typer.Option(help="Number of the member, for kind member.")] = None,
    scope: Scopes = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Print a short-lived access token, for trying things out."""
    with servers("tessera token") as settings:
        from domain.database import Database
        from server.access.clients import trial_token

        async def issue(database: Database) -> str:
            async with database.session() as session:
                secret = settings.secret("token")
                return await trial_token(session, secret, kind, merchant=merchant, member=member, scopes=scope)

        issued = with_database(settings, issue)
    answer({"token": issued}, json, lambda console: console.print(issued, soft_wrap=True))
