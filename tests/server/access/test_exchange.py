"""Token exchange: what a merchant knows of its member, for a token that signs the member in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from resolvers.viewer import ALLOWED_SCOPES, DEFAULT_SCOPES, MEANING, Kind, Scope
from server.access.clients import create_client, trial_token
from server.access.endpoint import TokenEndpoint
from server.access.exchange import ACCESS_TOKEN, GRANT, IDENTIFIER, MEMBER_NUMBER
from server.access.tokens import TokenVerifier

SECRET = b"a secret of at least 32 characters"
NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)
Exchange = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def ann(runtime: Runtime) -> Enrolled:
    """A member of the grocer's, by card and telephone."""
    identifiers = (IdentifierRef("CARD", None, "900"), IdentifierRef("PHONE", None, "+1 212 555 0123"))
    async with runtime.database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, identifiers, NOON)
        enrolled = await enrol(session, runtime.catalogue, ask)
    assert isinstance(enrolled, Enrolled)
    return enrolled


@pytest.fixture
async def actor(runtime: Runtime) -> Callable[..., Awaitable[str]]:
    async def token(merchant: str = "grocer", *more: str) -> str:
        scopes = {*DEFAULT_SCOPES["merchant"], Scope.MEMBERS_SIGN_IN, *more}
        async with runtime.database.session() as session:
            return await trial_token(session, SECRET, "merchant", merchant=merchant, scopes=scopes)

    return token


@pytest.fixture
async def exchange(runtime: Runtime) -> AsyncIterator[Exchange]:
    endpoint = TokenEndpoint(runtime.database, lambda: runtime.catalogue, SECRET, TokenVerifier(SECRET))
    app = Starlette(routes=[Route("/oauth/token", endpoint.post, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def ask(actor: str | None = None, **fields: str) -> httpx.Response:
            acting = {} if actor is None else {"actor_token": actor, "actor_token_type": ACCESS_TOKEN}
            return await client.post("/oauth/token", data={"grant_type": GRANT, **acting, **fields})

        yield ask


def card(value: str = "900") -> dict[str, str]:
    return {"subject_token": value, "subject_token_type": f"{IDENTIFIER}CARD"}


async def test_by_card_by_telephone_and_by_number(
    exchange: Exchange, actor: Callable[..., Awaitable[str]], ann: Enrolled
) -> None:
    token = await actor()
    for subject in (
        card(),
        card() | {"subject_issuer": "grocer"},
        {"subject_token": "(212) 555-0123", "subject_token_type": f"{IDENTIFIER}PHONE"},
        {"subject_token": ann.number, "subject_token_type": MEMBER_NUMBER},
    ):
        answer = await exchange(token, **subject)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["expires_in"], told["issued_token_type"]) == (900, ACCESS_TOKEN)
        viewer = TokenVerifier(SECRET).verify(told["access_token"])
        assert (viewer.kind, viewer.subject, viewer.member_id, viewer.merchant_id) == (
            "member",
            ann.member_id,
            ann.member_id,
            None,
        )
        assert viewer.scopes == DEFAULT_SCOPES["member"] - {
            Scope.IDENTIFIERS_READ,
            Scope.POINTS_TRANSFER,
            Scope.MEMBERS_EXPORT,
            Scope.IDENTIFIERS_WRITE,
        }


async def test_by_secret(runtime: Runtime, exchange: Exchange, ann: Enrolled) -> None:
    async with runtime.database.transaction() as session:
        id_, secret = await create_client(session, "app", "merchant", "grocer", [Scope.MEMBERS_SIGN_IN])
    answer = await exchange(client_id=str(id_), client_secret=secret, **card())
    assert TokenVerifier(SECRET).verify(answer.json()["access_token"]).client_id == id_
    answer = await exchange(client_id=str(id_), client_secret="wrong", **card())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_who_is_not_the_merchants_looks_like_nobody(
    exchange: Exchange, actor: Callable[..., Awaitable[str]], ann: Enrolled
) -> None:
    fuel, grocer = await actor("fuel"), await actor()
    answers = [
        await exchange(fuel, subject_token=ann.number, subject_token_type=MEMBER_NUMBER),
        await exchange(fuel, subject_token="2125550123", subject_token_type=f"{IDENTIFIER}PHONE"),
        await exchange(grocer, **card("901")),
        await exchange(grocer, subject_token="18", subject_token_type=MEMBER_NUMBER),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1


async def test_scopes_are_narrowed_and_never_wider_than_the_merchants(
    exchange: Exchange, actor: Callable[..., Awaitable[str]], ann: Enrolled
) -> None:
    spends, sees = await actor(), await actor("grocer", Scope.IDENTIFIERS_READ)
    assert (await exchange(spends, scope="points:read points:spend", **card())).json()[
        "scope"
    ] == "points:read points:spend"
    assert Scope.IDENTIFIERS_READ in (await exchange(sees, **card())).json()["scope"].split()
    for scope in ("identifiers:read", "points:transfer", "points:earn", "clock", " "):
        answer = await exchange(spends, scope=scope, **card())
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope"), scope


async def test_a_member_who_has_left_is_not_signed_in(
    runtime: Runtime, exchange: Exchange, actor: Callable[..., Awaitable[str]], ann: Enrolled
) -> None:
    token = await actor()
    for status, code in (("FROZEN", 200), ("CLOSED", 400)):
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE member SET status = :status"), {"status": status})
        assert (await exchange(token, **card())).status_code == code


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({}, "invalid_request", "subject_token is missing"),
        ({"subject_token": "1"}, "invalid_request", "subject_token_type"),
        ({**card(), "requested_token_type": "urn:x"}, "invalid_request", "requested_token_type"),
        ({**card(), "actor_token_type": "urn:x"}, "invalid_request", "actor_token_type"),
        ({**card(), "actor_token": "abc"}, "invalid_request", "actor_token: "),
    ],
)
async def test_what_cannot_be_exchanged(
    exchange: Exchange, actor: Callable[..., Awaitable[str]], fields: dict[str, str], error: str, says: str
) -> None:
    answer = await exchange(**{"actor_token": await actor(), "actor_token_type": ACCESS_TOKEN, **fields})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert says in answer.json()["error_description"]


def test_the_page_has_each_scope_and_who_may_have_it() -> None:
    def mark(kind: Kind, scope: Scope) -> str:
        return "yes" if scope in DEFAULT_SCOPES[kind] else "if given" if scope in ALLOWED_SCOPES[kind] else ""

    kinds: list[Kind] = ["member", "merchant", "operator", "auditor"]
    wanted = {f"`{scope}`": [meaning, *(mark(kind, scope) for kind in kinds)] for scope, meaning in MEANING.items()}
    lines = Path("docs/access.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    assert {scope: rest for scope, *rest in cells} == wanted


async def test_who_may_not_exchange(runtime: Runtime, exchange: Exchange, ann: Enrolled) -> None:
    async with runtime.database.session() as session:
        without = await trial_token(session, SECRET, "merchant", merchant="grocer")
        operator = await trial_token(session, SECRET, "operator")
    for token in (without, operator):
        assert (await exchange(token, **card())).json()["error"] == "unauthorized_client"
    assert (await exchange(**card())).json()["error"] == "invalid_client"


async def test_a_device_that_is_named_is_new_once_and_in_the_token(
    runtime: Runtime, ann: Enrolled, actor: Callable[..., Awaitable[str]], exchange: Exchange
) -> None:
    ask = {"subject_token": ann.number, "subject_token_type": MEMBER_NUMBER}
    grocer = await actor()
    tokens = [(await exchange(grocer, device=name, **ask)).json()["access_token"] for name in ("a", "a", "b")]
    first, again, other = (TokenVerifier(SECRET).verify(token).device_id for token in tokens)
    assert first is not None
    assert (first == again, first == other) == (True, False)
    kept = (await exchange(grocer, device="b", scope="points:read offline_access", **ask)).json()
    assert TokenVerifier(SECRET).verify(kept["access_token"]).device_id == other
    unnamed = (await exchange(grocer, **ask)).json()["access_token"]
    assert TokenVerifier(SECRET).verify(unnamed).device_id is None
    assert (await exchange(grocer, device="x" * 201, **ask)).json()["error"] == "invalid_request"
    async with runtime.database.session() as session:
        told = (
            await session.scalars(text("SELECT data FROM event WHERE kind = 'MEMBER_DEVICE_SEEN' ORDER BY id"))
        ).all()
    assert [one["device"] for one in told] == ["FIRST", "OTHER"]
