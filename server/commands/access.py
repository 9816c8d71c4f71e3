"""Who may call: `tessera client create` and `tessera token`."""

from typing import Annotated

import typer

from server.commands.common import Home, Json, answer, servers, with_database

Merchant = Annotated[str | None, typer.Option(help="Code of the merchant, for kind merchant.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="May be given many times [default: the kind's own].")]

client = typer.Typer(help="Systems that may call.", no_args_is_help=True)


@client.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    kind: Annotated[str, typer.Option(help="merchant, operator or auditor.")],
    merchant: Merchant = None,
    scope: Scopes = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a client, and print its id and secret: the secret is shown this once."""
    with servers("tessera client create") as settings:
        from domain.database import Database
        from server.access.clients import create_client

        async def make(database: Database) -> tuple[str, str]:
            async with database.transaction() as session:
                id_, secret = await create_client(session, name, kind, merchant, scope)
                return str(id_), secret

        id_, secret = with_database(settings, make)
    answer({"id": id_, "secret": secret}, json, lambda console: console.print(f"id      {id_}\nsecret  {secret}"))


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
