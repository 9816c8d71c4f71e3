"""`tessera right`: rights by hand, without a client of the endpoint: granted, used, taken back, looked at."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer

from server.commands.common import Home, Json, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.benefits.commands import Call
    from alliance.runtime import Runtime
    from domain.benefits.model import Right
    from server.settings import Settings

right = typer.Typer(help="Rights of members, by hand.", no_args_is_help=True)

#: In whose space of keys these calls lie.
OURSELVES = UUID(int=0x7E58)

Key = Annotated[str | None, typer.Option(help="8 to 200 characters: the same key does it once [default: a new one].")]
Code = Annotated[str, typer.Argument(metavar="CODE", help="What the member shows.")]


@right.command()
def grant(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A benefit of the merchant's, such as car_wash.")],
    merchant: Annotated[str, typer.Option(help="The code of the merchant that grants it.")],
    member: Annotated[str, typer.Option(metavar="NUMBER", help="The member's number.")],
    quantity: Annotated[int | None, typer.Option(min=1, help="Uses [default: as the file says].")] = None,
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Grant a right, and say its code."""
    with servers("tessera right grant") as settings:
        from alliance.benefits.commands import grant_request
        from domain.errors import Refusal
        from domain.members.queries import resolve

        async def act(runtime: "Runtime") -> dict[str, Any]:
            call = _call(runtime, settings, merchant, key, f"grant {kind} {member} {quantity}")
            async with runtime.database.session() as session:
                (found,) = await resolve(session, runtime.catalogue, [(merchant, member)])
            if isinstance(found, Refusal):
                raise found
            codes = _codes(settings)
            request = grant_request(runtime, call, member_id=found.member_id, kind=kind, codes=codes, quantity=quantity)
            posted = await runtime.engine.post(request)
            right_id = UUID(posted.data["right"])
            return {"code": codes.of(right_id)} | _told(await _read(runtime, (posted.holder_id, right_id)))

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print(said["code"]))


@right.command()
def use(
    code: Code,
    merchant: Annotated[str, typer.Option(help="The code of the merchant where it is used.")],
    quantity: Annotated[int, typer.Option(min=1, help="Uses.")] = 1,
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Use a right."""
    with servers("tessera right use") as settings:
        from alliance.benefits.commands import use_request

        async def act(runtime: "Runtime") -> dict[str, Any]:
            call = _call(runtime, settings, merchant, key, f"use {code} {quantity}")
            found = await _find(runtime, settings, code)
            code_hash = _codes(settings).hashed(code)
            request = use_request(runtime, call, found, quantity=quantity, code_hash=code_hash, decided=True)
            await runtime.engine.post(request)
            return _told(await _read(runtime, (found.holder_id, found.id)))

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print(f"used; {said['remaining']} left"))


@right.command()
def cancel(
    code: Code,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    key: Key = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take back what is left of a right and is not booked."""
    with servers("tessera right cancel") as settings:
        from alliance.benefits.commands import cancel_request

        async def act(runtime: "Runtime") -> dict[str, Any]:
            found = await _find(runtime, settings, code)
            grantor = runtime.catalogue.merchants_by_id[found.grantor_id].code
            call = _call(runtime, settings, grantor, key, f"cancel {code}")
            await runtime.engine.post(cancel_request(call, found, reason=reason))
            return _told(await _read(runtime, (found.holder_id, found.id)))

        said = with_runtime(settings, act)
    answer({"right": said}, json, lambda console: console.print(f"taken back; {said['remaining']} left"))


@right.command()
def show(code: Code, home: Home = None, json: Json = False) -> None:
    """How a right stands."""
    with servers("tessera right show") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            return _told(await _find(runtime, settings, code))

        said = with_runtime(settings, read)
    answer({"right": said}, json, lambda console: console.print(*(f"{name} {value}" for name, value in said.items())))


def _codes(settings: "Settings") -> Any:
    from domain.benefits.rules import Codes

    return Codes(settings.secret("fingerprint"))


def _call(runtime: "Runtime", settings: "Settings", merchant: str, key: str | None, asked: str) -> "Call":
    from alliance.benefits.commands import Call
    from domain.errors import NotFound
    from domain.ledger.request import Key as LedgerKey
    from domain.ledger.request import fingerprint_of

    at = runtime.catalogue.merchants.get(merchant)
    if at is None:
        raise NotFound(what=f"merchant {merchant!r}")
    fingerprint = fingerprint_of(settings.secret("fingerprint"), f"right {merchant} {asked}".encode())
    moment = now()
    once = LedgerKey(OURSELVES, OURSELVES, key or uuid4().hex, fingerprint)
    return Call(at=at, occurred_at=moment, as_of=moment, key=once, client_id=None)


async def _find(runtime: "Runtime", settings: "Settings", code: str) -> "Right":
    from domain.benefits.errors import RightNotFound
    from domain.benefits.queries import by_codes

    hashed = _codes(settings).hashed(code)
    async with runtime.database.session() as session:
        place = (await by_codes(session, [hashed])).get(hashed)
    if place is None:
        raise RightNotFound(path=("code",))
    return await _read(runtime, place)


async def _read(runtime: "Runtime", place: tuple[UUID, UUID]) -> "Right":
    from domain.benefits.queries import by_ids

    async with runtime.database.session() as session:
        return (await by_ids(session, [place]))[place]


def _told(found: "Right") -> dict[str, Any]:
    from resolvers import ids

    figures = {name: getattr(found, name) for name in ("kind", "quantity", "remaining", "booked", "used")}
    ends = None if found.expires_at is None else found.expires_at.isoformat()
    return {"id": ids.encode("Right", found.holder_id, found.id)} | figures | {"expiresAt": ends}
