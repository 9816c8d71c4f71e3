"""POST /oauth/token and /oauth/revoke: client credentials (RFC 6749, section 4.4), and how members sign in."""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, cast
from urllib.parse import parse_qsl, unquote_plus

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alliance.passcodes import Asker
from alliance.passcodes.service import Told
from domain.database import Database
from domain.programs.catalogue import Catalogue
from resolvers.context import language_of
from resolvers.viewer import InvalidToken, Kind, Scope, Viewer
from server.access import exchange, one_time, sessions
from server.access.attempts import Attempts
from server.access.errors import OAuthError
from server.access.exchange import MemberExchange, actor_of, narrowed
from server.access.model import OAuthClient
from server.access.secrets import is_busy, is_secret
from server.access.sessions import Sessions, SignedIn
from server.access.tokens import LIFETIME, MEMBER_LIFETIME, TokenVerifier, issue_token

LARGEST_FORM = 8192
"""Bytes."""
ID = re.compile(r"[0-9a-f-]{32,36}")
COUNTED = {"client_credentials": "client_secret", exchange.GRANT: "exchange", sessions.GRANT: "refresh"}
RESULTS = {
    "invalid_client": "WRONG",
    "invalid_grant": "WRONG",
    "slow_down": "LIMITED",
}

log = structlog.get_logger("sign-in")


class SignInGrant(Protocol):
    """A way in which members show to us who they are."""

    async def member(self, asker: Asker, form: Mapping[str, str]) -> uuid.UUID:
        """The member. Raises OAuthError."""
        ...


class TokenEndpoint:
    """Hands out access tokens. `post` is the Starlette endpoint."""

    def __init__(
        self,
        database: Database,
        catalogue: Callable[[], Catalogue],
        secret: bytes,
        verifier: TokenVerifier,
        *,
        attempts: Attempts | None = None,
        grants: Mapping[str, SignInGrant] | None = None,
        told: Told = lambda how, result: None,
    ) -> None:
        self._catalogue = catalogue
        self._grants = grants or {}
        self._database = database
        self._members = MemberExchange(database, catalogue)
        self._secret = secret
        self.sessions = Sessions(database, secret)
        self._verifier = verifier
        self._attempts = attempts or Attempts(database)
        self._told = told

    async def post(self, request: Request) -> Response:
        """A token as JSON, or an error of RFC 6749."""
        form: dict[str, str] = {}
        try:
            form = await _form(request)
            answer = await self._granted(request, form)
        except OAuthError as error:
            self._tell(form, "WRONG" if error.unknown else RESULTS.get(error.code))
            return error.response
        self._tell(form, "GOOD")
        return answer

    def _tell(self, form: Mapping[str, str], result: str | None) -> None:
        """Count an attempt, and write a failed one down: by the client's id, which is no secret. Grants of members' own
        say more themselves."""
        how = COUNTED.get(form.get("grant_type", ""))
        if how is None or result is None:
            return
        self._told(how, result)
        if result != "GOOD":
            client = form.get("client_id", "")
            log.info("no token", how=how, result=result, client=client if ID.fullmatch(client) else None)

    async def _granted(self, request: Request, form: dict[str, str]) -> Response:
        match form.get("grant_type"):
            case None:
                raise OAuthError("invalid_request", "grant_type is missing")
            case "client_credentials":
                client = await self._client_of(request, form)
                viewer = replace(client, scopes=_narrowed(client, form.get("scope")))
                return self._token(viewer, LIFETIME)
            case exchange.GRANT:
                actor = actor_of(self._verifier, form) or await self._client_of(request, form)
                viewer, stays = await self._members.member(actor, form)
                kind = exchange.ACCESS_TOKEN
                if stays:
                    return self._session(await self.sessions.open(viewer), issued_token_type=kind)
                return self._token(viewer, MEMBER_LIFETIME, issued_token_type=kind)
            case sessions.GRANT:
                client = await self._client_of(request, form, public=True)
                return self._session(await self.sessions.renew(client, form))
            case grant_type if grant_type in self._grants:
                client = await self._client_of(request, form, public=True)
                scopes, _ = narrowed(client, form.get("scope"))
                asker = self._asker(request, client, form)
                member_id = await self._grants[grant_type].member(asker, form)
                device_id = await self._members.device(asker.merchant.id, member_id, form.get("device"))
                viewer = Viewer("member", client.client_id, member_id, None, member_id, scopes, device_id)
                return self._session(await self.sessions.open(viewer))
            case _:
                raise OAuthError("unsupported_grant_type", "see docs/access.md")

    def _asker(self, request: Request, client: Viewer, form: dict[str, str]) -> Asker:
        """The client, for whom members sign in themselves. From where they do is known of apps in their hands alone."""
        if client.merchant_id is None or Scope.MEMBERS_SIGN_IN not in client.scopes:
            raise OAuthError("unauthorized_client", f"this is for merchants' clients with {Scope.MEMBERS_SIGN_IN}")
        public = "authorization" not in request.headers and "client_secret" not in form
        host = request.client.host if public and request.client else None
        merchant = self._catalogue().merchants_by_id[client.merchant_id]
        return Asker(client.client_id, merchant, host, enrols=Scope.MEMBERS_WRITE in client.scopes)

    async def code(self, request: Request) -> Response:
        """POST /oauth/code: send a one-time code to a telephone or an e-mail address."""
        try:
            form = await _form(request)
            client = await self._client_of(request, form, public=True)
            sender = self._grants.get(one_time.GRANT)
            if not isinstance(sender, one_time.OneTimeGrant):
                raise OAuthError("unsupported_grant_type", "nothing sends codes here")
            language = language_of(request.headers.get("accept-language", ""))
            return await sender.send(self._asker(request, client, form), form, language)
        except OAuthError as error:
            return error.response

    async def revoke(self, request: Request) -> Response:
        """POST /oauth/revoke (RFC 7009): a client gives up a token of its own. What is no token is no error."""
        try:
            form = await _form(request)
            client = await self._client_of(request, form, public=True)
            if "token" not in form:
                raise OAuthError("invalid_request", "token is missing")
            await self._revoke(client, form["token"])
        except OAuthError as error:
            return error.response
        return Response(headers={"Cache-Control": "no-store"})

    async def _revoke(self, client: Viewer, token: str) -> None:
        try:
            found = self._verifier.read(token)
        except InvalidToken:
            await self.sessions.end(client, token)
        else:
            if found.viewer.client_id == client.client_id:
                await self.sessions.revoke(found.token_id)

    def _session(self, signed_in: SignedIn, **more: str) -> Response:
        more = {**more, "refresh_token": signed_in.refresh_token}
        return self._token(signed_in.viewer, MEMBER_LIFETIME, signed_in.session_id, **more)

    def _token(self, viewer: Viewer, lifetime: int, session_id: uuid.UUID | None = None, **more: str) -> Response:
        answer = {
            "access_token": issue_token(self._secret, viewer, lifetime=lifetime, session_id=session_id),
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": " ".join(sorted(viewer.scopes)),
            **more,
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def _client_of(self, request: Request, form: dict[str, str], *, public: bool = False) -> Viewer:
        """The client whose id and secret came with the call, as a viewer with all of its scopes.

        Where `public` ones may call, the id of one that has no secret will do.
        """
        client: OAuthClient | None = None
        if public and "authorization" not in request.headers and "client_secret" not in form:
            client = await self._client(form.get("client_id", ""))
            if client is None or client.secret_hash is not None:
                raise _invalid_client("unknown client, or one that has a secret")
        else:
            client_id, secret = _credentials(request, form)
            client = await self._authenticated(client_id, secret, request.client.host if request.client else "")
        return Viewer(cast(Kind, client.kind), client.id, client.id, client.merchant_id, None, frozenset(client.scopes))

    async def _authenticated(self, client_id: str, secret: str, host: str) -> OAuthClient:
        """The client with this id and secret; every failure looks the same and takes as long."""
        who = client_id[:64], host
        wait = await self._attempts.wait(who)
        if wait:
            raise OAuthError("slow_down", "too many failures", status=429, headers={"Retry-After": str(wait)})
        if is_busy():
            raise OAuthError("temporarily_unavailable", "try again", status=503, headers={"Retry-After": "1"})
        client = await self._client(client_id)
        if await is_secret(secret, client.secret_hash if client else None) and client:
            return client
        await self._attempts.failed(who)
        raise _invalid_client("unknown client or wrong secret")

    async def _client(self, client_id: str) -> OAuthClient | None:
        """The client with this id, unless it is disabled."""
        try:
            id_ = uuid.UUID(client_id)
        except ValueError:
            return None
        async with self._database.session() as session:
            client = await session.get(OAuthClient, id_)
        return client if client and client.disabled_at is None else None


async def _form(request: Request) -> dict[str, str]:
    """The fields of the form; one that is empty counts as left out (RFC 6749, section 3.2)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "send application/x-www-form-urlencoded")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise OAuthError("invalid_request", "the form is too large", status=413)
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=20, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", "the form cannot be read") from None
    if len({name for name, _ in fields}) < len(fields):
        raise OAuthError("invalid_request", "a field is given twice")
    return dict(fields)


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Id and secret, from the Authorization header or the form, not both."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        if "client_id" not in form or "client_secret" not in form:
            raise _invalid_client("client_id and client_secret are missing")
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise OAuthError("invalid_request", "authenticate in the header or in the form, not in both")
    if scheme.lower() != "basic":
        raise _invalid_client("authenticate by HTTP Basic or in the form")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _invalid_client("the Authorization header cannot be read") from None
    return unquote_plus(client_id), unquote_plus(secret)


def _invalid_client(description: str) -> OAuthError:
    return OAuthError(
        "invalid_client",
        description,
        status=401,
        headers={"WWW-Authenticate": 'Basic realm="tessera", charset="UTF-8"'},
    )


def _narrowed(client: Viewer, asked: str | None) -> frozenset[str]:
    """The scopes that were asked for, all of which must be the client's; all of its own if none were."""
    if asked is None:
        return client.scopes
    scopes = frozenset(asked.split())
    if not scopes or not scopes <= client.scopes:
        raise OAuthError("invalid_scope", "the client does not have this scope")
    return scopes
