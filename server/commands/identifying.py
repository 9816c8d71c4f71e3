"""`tessera member link|unlink|verify|numbers`: by what members are recognised, and how far number ranges are used."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime
from server.commands.holders import Holder, holder_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from alliance.runtime import Runtime
    from domain.members.model import Identifier, Membership

Type = Annotated[str, typer.Argument(metavar="TYPE", help="The type of identifier, such as PHONE.")]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="As the member writes it.")]
Merchant = Annotated[str, typer.Option(help="The code of the merchant where it is presented.")]
Issuer = Annotated[str | None, typer.Option(help="Who issued it, where the type does not tell.")]


def link(
    holder: Holder,
    type_: Type,
    value: Value,
    merchant: Merchant,
    issuer: Issuer = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="It was not proved to be theirs: where that is needed, it waits.")
    ] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a member be recognised by one identifier more."""
    _do("link", holder, (type_, issuer, value), merchant, as_of, json, verified=not unverified)


def verify(
    holder: Holder,
    type_: Type,
    value: Value,
    merchant: Merchant,
    issuer: Issuer = None,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Say that an identifier of a member's was proved to be theirs."""
    _do("verify", holder, (type_, issuer, value), merchant, as_of, json)


def unlink(
    holder: Holder,
    type_: Type,
    value: Value,
    merchant: Merchant,
    issuer: Issuer = None,
    number_alone: Annotated[bool, typer.Option("--number-alone", help="Also the last: their number will do.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a member no longer be recognised by an identifier."""
    _do("unlink", holder, (type_, issuer, value), merchant, as_of, json, number_alone=number_alone)


def numbers(home: Home = None, json: Json = False) -> None:
    """How far the ranges of member numbers are used that merchants own."""
    with servers("tessera member numbers") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from domain.members.numbers import filled, owners
            from domain.members.rules import member_number

            async with runtime.database.session() as session:
                found = await filled(session, await owners(session))
            return [
                {"merchant": one.merchant, "from": member_number(one.range.first), "to": member_number(one.range.last)}
                | {"used": one.used, "left": one.left}
                for one in found
            ]

        ranges = with_runtime(settings, read)

    def show(console: Console) -> None:
        for one in ranges:
            said = f"{one['from']} to {one['to']}: {one['used']:,} used, {one['left']:,} left"
            console.print(f"{one['merchant']:<12} {said}")

    answer({"ranges": ranges}, json, show)


def _do(
    name: str,
    holder: str,
    named: tuple[str, str | None, str],
    merchant: str,
    as_of: "datetime | None",
    json: bool,
    **more: bool,
) -> None:
    """Do it as the operator, and say whether that changed anything."""
    with servers(f"tessera member {name}") as settings:

        async def run(runtime: "Runtime") -> dict[str, Any]:
            from alliance.merging.taken import merge_if_taken
            from domain.members import commands
            from domain.members.model import IdentifierRef

            changed = False
            act = getattr(commands, f"{name}_identifier")
            member_id = await holder_of(runtime.database, holder)
            given: dict[str, Any] = {"merchant": merchant, "ref": IdentifierRef(*named), "as_of": as_of or now()}
            if more.get("verified"):
                changed = await merge_if_taken(runtime, member_id=member_id, **given)
            async with runtime.database.transaction() as session:
                changed |= await act(session, runtime.catalogue, member_id=member_id, **given, **more)
            return {"changed": changed} | await recognised(runtime, member_id)

        data = with_runtime(settings, run)
    answer(data, json, lambda console: show_recognised(console, data))


async def recognised(runtime: "Runtime", member_id: "UUID") -> dict[str, Any]:
    """By what a member is recognised, masked, and where they joined."""
    from domain.members.queries import identifiers, memberships

    async with runtime.database.session() as session:
        known_by = (await identifiers(session, [member_id]))[member_id]
        joined = (await memberships(session, [member_id]))[member_id]
    return {
        "identifiers": [_identifier(runtime, row) for row in known_by],
        "memberships": [_membership(runtime, row) for row in joined],
    }


def show_recognised(console: Console, data: dict[str, Any]) -> None:
    """For people."""
    for one in data["identifiers"]:
        issuer = f" of {one['issuer']}" if one["issuer"] else ""
        console.print(f"{one['type']}{issuer} {one['value']}{'' if one['identifies'] else ' (not verified)'}")
    for one in data["memberships"]:
        where = f" at {one['store']}" if one["store"] else ""
        console.print(f"{one['number']} at {one['merchant']} since {one['joinedAt']}, by {one['channel']}{where}")


def _identifier(runtime: "Runtime", row: "Identifier") -> dict[str, Any]:
    from domain.members.rules import mask

    declared = runtime.catalogue.identifier_types[row.type]
    identifies = declared.verify is None or row.verified_at is not None
    verified_at = None if row.verified_at is None else row.verified_at.isoformat()
    said = {"type": row.type, "issuer": row.issuer or None, "value": mask(row.value), "identifies": identifies}
    return said | {"linkedAt": row.linked_at.isoformat(), "verifiedAt": verified_at}


def _membership(runtime: "Runtime", row: "Membership") -> dict[str, Any]:
    merchant = runtime.catalogue.merchants_by_id[row.merchant_id].code
    how = {"channel": row.channel, "store": row.store, "joinedAt": row.joined_at.isoformat()}
    return {"merchant": merchant, "number": row.number} | how
