"""Members who stay signed in: renewed once, revoked everywhere."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.errors import NotFound
from domain.members import life
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, MemberStatus
from domain.members.reasons import FreezeReason
from domain.sessions.commands import IDLE, LONGEST, forget_sessions, renew, revoke, sign_in, sign_out
from domain.sessions.model import SignIn, TokenRevocation
from resolvers.viewer import InvalidToken, Scope
from server.access.clients import create_client, disable_client
from server.access.endpoint import TokenEndpoint
from server.access.exchange import GRANT, IDENTIFIER
from server.access.revocations import Revocations
from server.access.tokens import TokenVerifier

SECRET = b"a secret of at least 32 characters"
CARD = {"subject_token": "900", "subject_token_type": f"{IDENTIFIER}CARD"}
GRANTED = {"grant_type": GRANT, "scope": "offline_access points:read", **CARD}


class Api:
    """One API process: it answers for tokens, and remembers those that were good."""

    def __init__(self, runtime: Runtime) -> None:
        self.verifier = Hearing(SECRET)
        self.revocations = Revocations(runtime.database, self.verifier)
        endpoint = TokenEndpoint(runtime.database, lambda: runtime.catalogue, SECRET, self.verifier)
        paths = {"/oauth/token": endpoint.post, "/oauth/revoke": endpoint.revoke}
        app = Starlette(routes=[Route(path, what, methods=["POST"]) for path, what in paths.items()])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        self.client: dict[str, str] = {}

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data={**self.client, **fields})

    async def renewed(self, token: str, **more: str) -> httpx.Response:
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **more)

    async def is_good(self, token: str) -> bool:
        await self.revocations.refresh()
        try:
            self.verifier.verify(token)
        except InvalidToken:
            return False
        return True


class Hearing(TokenVerifier):
    """A verifier that says when it was told."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret)
        self.told = asyncio.Event()

    def revoke(self, revocations: Iterable[tuple[uuid.UUID, float | None]]) -> None:
        if found := list(revocations):
            super().revoke(found)
            self.told.set()


@pytest.fixture
async def member_id(runtime: Runtime) -> uuid.UUID:
    ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "900"),), datetime(2017, 6, 1, tzinfo=UTC))
    async with runtime.database.transaction() as session:
        enrolled = await enrol(session, runtime.catalogue, ask)
    assert isinstance(enrolled, Enrolled)
    return enrolled.member_id


@pytest.fixture
async def api(runtime: Runtime, member_id: uuid.UUID) -> AsyncIterator[Api]:
    opened = Api(runtime)
    async with runtime.database.transaction() as session:
        id_, secret = await create_client(session, "app", "merchant", "grocer", [Scope.MEMBERS_SIGN_IN])
    opened.client = {"client_id": str(id_), "client_secret": secret}
    yield opened
    await opened.http.aclose()


async def signed_in(api: Api) -> dict[str, Any]:
    answer = await api.post("/oauth/token", **GRANTED)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_session_is_renewed_once_a_token_and_a_stolen_one_ends_it(api: Api, runtime: Runtime) -> None:
    first = await signed_in(api)
    assert first["scope"] == "points:read"
    second = (await api.renewed(first["refresh_token"])).json()
    assert (second["scope"], second["expires_in"]) == ("points:read", 900)
    assert second["refresh_token"] != first["refresh_token"]
    assert await api.is_good(second["access_token"])
    for wrong in ("", "x", second["refresh_token"][:-4] + "AAAA", "A" * 300):
        answer = await api.renewed(wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), wrong
    wider = await api.renewed(second["refresh_token"], scope="points:spend")
    assert wider.json()["error"] == "invalid_scope"

    # The first one again: somebody has what is not theirs. Nobody goes on, in any process.
    other = Api(runtime)
    assert other.verifier.verify(second["access_token"]).member_id
    third = (await signed_in(api))["refresh_token"]
    assert (await api.renewed(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await api.renewed(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await other.is_good(second["access_token"])
    assert not await other.is_good(first["access_token"])
    assert (await api.renewed(third)).status_code == 200, "another session goes on"
    async with runtime.database.session() as session:
        ended = (await session.scalars(select(SignIn.ended_why).where(SignIn.ended_why.is_not(None)))).all()
        kept = await session.scalar(text("SELECT string_agg(s::text, '') FROM sign_in s"))
    assert ended == ["REUSED"]
    assert second["refresh_token"] not in kept


async def test_of_twenty_renewals_at_once_one_succeeds(api: Api) -> None:
    first = await signed_in(api)
    answers = await asyncio.gather(*(api.renewed(first["refresh_token"]) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    [good] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await api.renewed(good["refresh_token"])).status_code == 400, "and the session is over"


async def test_only_the_client_that_was_given_a_token_may_use_or_revoke_it(api: Api, runtime: Runtime) -> None:
    told = await signed_in(api)
    mine = api.client
    async with runtime.database.transaction() as session:
        app, none = await create_client(session, "public", "merchant", "grocer", public=True)
    assert none == ""
    for other in ({"client_id": str(app)}, {"client_id": mine["client_id"]}, {"client_id": "x"}, {}):
        api.client = other
        answer = await api.renewed(told["refresh_token"])
        assert answer.json()["error"] in ("invalid_grant", "invalid_client"), other
        revoked = await api.post("/oauth/revoke", token=told["refresh_token"])
        assert revoked.status_code == (200 if other.get("client_id") == str(app) else 401)
        await api.post("/oauth/revoke", token=told["access_token"])
    api.client = {"client_id": str(app)}
    assert (await api.post("/oauth/token", grant_type="client_credentials")).status_code == 401
    assert (await api.post("/oauth/token", **GRANTED)).status_code == 401, "a public client knows nobody"
    api.client = mine
    assert await api.is_good(told["access_token"])
    assert (await api.renewed(told["refresh_token"])).status_code == 200


async def test_rfc_7009_what_is_revoked_is_no_good_in_any_process(api: Api, runtime: Runtime) -> None:
    told, other = await signed_in(api), Api(runtime)
    assert other.verifier.verify(told["access_token"])
    watching = asyncio.create_task(other.revocations.watch())
    answer = await api.post("/oauth/revoke", token=told["access_token"], token_type_hint="access_token")
    assert (answer.status_code, answer.content) == (200, b"")
    async with asyncio.timeout(30):
        await other.verifier.told.wait()
    with pytest.raises(InvalidToken, match="revoked"):
        other.verifier.verify(told["access_token"])
    watching.cancel()

    renewed = (await api.renewed(told["refresh_token"])).json()
    assert await api.is_good(renewed["access_token"])
    assert (await api.post("/oauth/revoke", token=renewed["refresh_token"])).status_code == 200
    assert not await other.is_good(renewed["access_token"])
    assert (await api.renewed(renewed["refresh_token"])).status_code == 400
    assert (await api.post("/oauth/revoke", token="no token")).status_code == 200
    assert (await api.post("/oauth/revoke")).json()["error"] == "invalid_request"


async def test_who_signs_out_everywhere_or_leaves_is_signed_out(
    api: Api, runtime: Runtime, member_id: uuid.UUID
) -> None:
    now = datetime.now(UTC)
    for leave in (
        lambda session: sign_out(session, member_id, now),
        lambda session: life.freeze(session, member_id, reason=FreezeReason.ACCOUNT_TAKEN_OVER, as_of=now),
    ):
        before = [await signed_in(api), await signed_in(api)]
        async with runtime.database.transaction() as session:
            await leave(session)
        assert not any([await api.is_good(told["access_token"]) for told in before])
        assert {(await api.renewed(told["refresh_token"])).status_code for told in before} == {400}
        assert await api.is_good((await signed_in(api))["access_token"]), "who signs in again is in"
    still = await signed_in(api)
    async with runtime.database.transaction() as session:
        member = await life.locked(session, member_id)
        await life.turn(session, member, MemberStatus.CLOSED, reason="MEMBER_ASKED", as_of=now)
    assert not await api.is_good(still["access_token"])
    assert (await api.renewed(still["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_client_that_is_disabled_takes_its_members_along(api: Api, runtime: Runtime) -> None:
    told = await signed_in(api)
    async with runtime.database.transaction() as session:
        await disable_client(session, uuid.UUID(api.client["client_id"]))
    assert not await api.is_good(told["access_token"])
    assert (await api.renewed(told["refresh_token"])).status_code == 401
    async with runtime.database.transaction() as session:
        with pytest.raises(NotFound):
            await disable_client(session, uuid.uuid4())


async def test_sessions_end_and_are_forgotten(runtime: Runtime, member_id: uuid.UUID) -> None:
    client_id, began = uuid.uuid4(), datetime(2026, 1, 1, tzinfo=UTC)
    async with runtime.database.transaction() as session:
        row = await sign_in(session, member_id, client_id=client_id, scopes=["points:read"], as_of=began)
        place = row.holder_id, row.id

        async def later(generation: int, moment: datetime) -> bool:
            return await renew(session, *place, generation, client_id=client_id, as_of=moment) is not None

        assert not await later(0, began + IDLE)
        moment, generation = began, 0
        while await later(generation, moment := moment + IDLE - timedelta(seconds=1)):
            generation += 1
        assert LONGEST - IDLE < moment - began < LONGEST + IDLE
        assert await forget_sessions(session, began + LONGEST + IDLE, 10) == 0
        assert await forget_sessions(session, began + LONGEST + IDLE + timedelta(seconds=1), 10) == 1
        await revoke(session, client_id)
        await forget_sessions(session, datetime.now(UTC), 10)
        assert await session.scalar(select(func.count()).select_from(TokenRevocation)) == 1
        await forget_sessions(session, datetime.now(UTC) + timedelta(days=2), 10)
        assert await session.scalar(select(func.count()).select_from(TokenRevocation)) == 0
