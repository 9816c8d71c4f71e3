"""Clients, their secrets, and /oauth/token."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from sqlalchemy import select, text, update
from starlette.applications import Starlette
from starlette.routing import Route

from domain.database import Database
from domain.errors import InvalidInput, NotFound
from domain.members.model import Member, MemberNumber
from domain.members.rules import member_number
from domain.programs.catalogue import Catalogue
from domain.programs.model import MerchantRow
from resolvers.viewer import DEFAULT_SCOPES, Scope
from server.access.attempts import Attempts
from server.access.clients import create_client, trial_token
from server.access.endpoint import TokenEndpoint
from server.access.model import OAuthClient
from server.access.tokens import TokenVerifier

SECRET = b"a secret of at least 32 characters"
HEARD: list[tuple[str, str]] = []
GRANT = {"grant_type": "client_credentials"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
Client = tuple[uuid.UUID, str]


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now)


@pytest.fixture
async def merchant_id(database: Database) -> uuid.UUID:
    row = MerchantRow(
        code="grocer", name="Grocer", jurisdiction="US", timezone="America/New_York", settings={}, settlement={}
    )
    async with database.transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
async def grocer(database: Database, merchant_id: uuid.UUID) -> Client:
    async with database.transaction() as session:
        return await create_client(session, "tills", "merchant", "grocer")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http(database: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    def no_catalogue() -> Catalogue:
        raise AssertionError("clients' tokens have nothing to do with members")

    attempts = Attempts(database, most=3, window=60, clock=clock)
    endpoint = TokenEndpoint(
        database,
        no_catalogue,
        SECRET,
        TokenVerifier(SECRET),
        attempts=attempts,
        told=lambda how, result: HEARD.append((how, result)),
    )
    app = Starlette(routes=[Route("/oauth/token", endpoint.post, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def basic(client_id: object, secret: str) -> dict[str, str]:
    credentials = f"{quote_plus(str(client_id))}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def body(client: Client, **fields: str) -> dict[str, str]:
    return {**GRANT, "client_id": str(client[0]), "client_secret": client[1], **fields}


async def test_token_by_form_and_by_header(http: httpx.AsyncClient, grocer: Client, merchant_id: uuid.UUID) -> None:
    for answer in (
        await http.post("/oauth/token", data=body(grocer)),
        await http.post("/oauth/token", data=GRANT, headers=basic(*grocer)),
        await http.post("/oauth/token", data={**GRANT, "client_id": str(grocer[0])}, headers=basic(*grocer)),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        token = answer.json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
        assert token["scope"].split() == sorted(DEFAULT_SCOPES["merchant"])
        viewer = TokenVerifier(SECRET).verify(token["access_token"])
        assert (viewer.kind, viewer.client_id, viewer.subject) == ("merchant", grocer[0], grocer[0])
        assert (viewer.merchant_id, viewer.member_id) == (merchant_id, None)
        assert viewer.scopes == DEFAULT_SCOPES["merchant"]


async def test_scopes_are_narrowed_never_widened(http: httpx.AsyncClient, grocer: Client) -> None:
    answer = await http.post("/oauth/token", data=body(grocer, scope="points:earn points:read"))
    assert answer.json()["scope"] == "points:earn points:read"
    assert TokenVerifier(SECRET).verify(answer.json()["access_token"]).scopes == {"points:earn", "points:read"}
    for scope in ("clock", "points:earn clock", "points:", " "):
        answer = await http.post("/oauth/token", data=body(grocer, scope=scope))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope"), scope


async def test_wrong_credentials_look_alike(http: httpx.AsyncClient, database: Database, grocer: Client) -> None:
    async with database.transaction() as session:
        disabled = await create_client(session, "gone", "operator")
        gone = (
            update(OAuthClient)
            .where(OAuthClient.id == disabled[0])
            .values(disabled_at=datetime(2026, 1, 1, tzinfo=UTC))
        )
        await session.execute(gone)
    answers = [
        await http.post("/oauth/token", data=body((grocer[0], "wrong"))),
        await http.post("/oauth/token", data=body((uuid.uuid4(), grocer[1]))),
        await http.post("/oauth/token", data={**body(grocer), "client_id": "tills"}),
        await http.post("/oauth/token", data=body(disabled)),
        await http.post("/oauth/token", data=GRANT, headers=basic(grocer[0], "wrong")),
    ]
    assert len({answer.text for answer in answers}) == 1
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("fields", "headers", "status", "error"),
    [
        ({}, {}, 400, "invalid_request"),
        ({"grant_type": ""}, {}, 400, "invalid_request"),
        ({"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        (GRANT, {}, 401, "invalid_client"),
        ({**GRANT, "client_id": "x"}, {}, 401, "invalid_client"),
        ({**GRANT, "client_secret": "x"}, basic("x", "y"), 400, "invalid_request"),
        (GRANT, {"Authorization": "Bearer x"}, 401, "invalid_client"),
        (GRANT, {"Authorization": "Basic ?"}, 401, "invalid_client"),
        (GRANT, {"Authorization": "Basic " + base64.b64encode("ü:x".encode()).decode()}, 401, "invalid_client"),
        ({**GRANT, "client_id": "x" * 9000}, {}, 413, "invalid_request"),
        ({**GRANT, "client_id": "\x00", "client_secret": "\x00"}, {}, 401, "invalid_client"),
    ],
)
async def test_bad_requests(
    http: httpx.AsyncClient, fields: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    answer = await http.post("/oauth/token", content=urlencode(fields), headers={**FORM, **headers})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "error_description"}


@pytest.mark.parametrize(
    "content",
    [b"grant_type=client_credentials&grant_type=client_credentials", b"\xff\xfe", b"grant_type=%ff", b"a=b&" * 30],
)
async def test_forms_that_cannot_be_read(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/oauth/token", content=content, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_json_is_refused(http: httpx.AsyncClient, grocer: Client) -> None:
    answer = await http.post("/oauth/token", json=body(grocer))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_failures_are_slowed_down_per_client(
    http: httpx.AsyncClient, database: Database, grocer: Client, clock: Clock
) -> None:
    async with database.transaction() as session:
        other = await create_client(session, "tills", "merchant", "grocer")
    for _ in range(3):
        assert (await http.post("/oauth/token", data=body((grocer[0], "wrong")))).status_code == 401
    clock.now = 15.0
    answer = await http.post("/oauth/token", data=body(grocer))
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (429, "slow_down", "45")
    assert (await http.post("/oauth/token", data=body(other))).status_code == 200
    assert HEARD[-5:] == [("client_secret", said) for said in ("WRONG", "WRONG", "WRONG", "LIMITED", "GOOD")]
    elsewhere = Attempts(database, most=3, window=60, clock=clock)
    assert await elsewhere.wait((str(grocer[0]), "127.0.0.1")) == 45, "another process knows"
    clock.now = 60.0
    assert (await http.post("/oauth/token", data=body(grocer))).status_code == 200


async def test_many_at_once_are_answered(http: httpx.AsyncClient, grocer: Client) -> None:
    answers = await asyncio.gather(*(http.post("/oauth/token", data=body(grocer)) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}


async def test_secret_is_kept_as_argon2(database: Database, grocer: Client) -> None:
    async with database.session() as session:
        client = (await session.scalars(select(OAuthClient))).one()
        everything = await session.scalar(text("SELECT oauth_client::text FROM oauth_client"))
    assert client.secret_hash.startswith("$argon2id$")
    assert grocer[1] not in (everything or "")
    assert len(grocer[1]) >= 43


@pytest.mark.parametrize(
    ("kind", "merchant", "scopes", "path"),
    [
        ("member", None, None, "kind"),
        ("king", None, None, "kind"),
        ("merchant", None, None, "merchant"),
        ("operator", "grocer", None, "merchant"),
        ("merchant", "grocer", ["clock"], "scopes"),
        ("auditor", None, ["identifiers:read"], "scopes"),
        ("operator", None, ["everything"], "scopes"),
    ],
)
async def test_clients_that_cannot_be(
    database: Database, merchant_id: uuid.UUID, kind: str, merchant: str | None, scopes: list[str] | None, path: str
) -> None:
    async with database.transaction() as session:
        with pytest.raises(InvalidInput) as refused:
            await create_client(session, "x", kind, merchant, scopes)
    assert refused.value.path == (path,)


async def test_client_of_no_merchant(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(NotFound, match="'nobody'"):
            await create_client(session, "x", "merchant", "nobody")


async def test_clock_for_operators_who_ask(http: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as session:
        replay = await create_client(session, "replay", "operator", None, [Scope.CLOCK, Scope.POINTS_EARN])
    token = (await http.post("/oauth/token", data=body(replay))).json()
    assert token["scope"] == "clock points:earn"


async def test_trial_tokens(database: Database, merchant_id: uuid.UUID) -> None:
    member = uuid.uuid4()
    number = member_number(1_000_000_000)
    verify = TokenVerifier(SECRET).verify
    async with database.transaction() as session:
        session.add(MemberNumber(serial=1_000_000_000, holder_id=member))
        session.add(Member(id=member, number=number, status="ACTIVE", joined_at=datetime(2026, 1, 1, tzinfo=UTC)))
        await session.flush()
        operator = verify(await trial_token(session, SECRET, "operator"))
        merchant = verify(await trial_token(session, SECRET, "merchant", merchant="grocer"))
        person = verify(await trial_token(session, SECRET, "member", member=number))
        assert (operator.kind, operator.scopes) == ("operator", DEFAULT_SCOPES["operator"])
        assert (merchant.merchant_id, merchant.subject) == (merchant_id, merchant_id)
        assert (person.member_id, person.subject, person.merchant_id) == (member, member, None)
        with pytest.raises(InvalidInput):
            await trial_token(session, SECRET, "member")
        with pytest.raises(InvalidInput):
            await trial_token(session, SECRET, "king")
        with pytest.raises(NotFound):
            await trial_token(session, SECRET, "member", member="18")
