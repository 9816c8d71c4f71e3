"""Whom a command is about: a holder, as people and programs name one."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from server.commands.common import NO, Failure

if TYPE_CHECKING:
    from domain.database import Database

Holder = Annotated[
    str,
    typer.Argument(
        metavar="HOLDER",
        help="Whose: an id as `tessera verify` names it or as GraphQL gives it (member, pool, wallet), a member's"
        " number, or a merchant's code.",
    ),
]


async def holder_of(database: "Database", name: str) -> UUID:
    """The holder that is meant. Raises Failure if there is none."""
    try:
        return UUID(name)
    except ValueError:
        pass
    from sqlalchemy import select

    from domain.members.queries import by_numbers
    from domain.programs.model import MerchantRow

    async with database.session() as session:
        if (merchant := await session.scalar(select(MerchantRow.id).where(MerchantRow.code == name))) is not None:
            return merchant
        if (member := (await by_numbers(session, [name])).get(name)) is not None:
            return member.id
    return _in_global_id(name)


def _in_global_id(name: str) -> UUID:
    from domain.errors import NotFound
    from resolvers.ids import decode

    try:
        kind, rest = decode(name)
    except NotFound:
        kind, rest = "", b""
    if kind not in ("Member", "Pool", "Wallet") or len(rest) < 16:
        raise Failure(f"{name!r} names no member, pool or merchant", exit_code=NO, code="NOT_FOUND")
    return UUID(bytes=rest[:16])
