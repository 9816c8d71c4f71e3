"""Signing in by the code that WeChat gives to a mini-program, an app, a web page or an official account.

The hosts that are called are those of the settings; of the form only the code goes there, as a parameter.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import httpx
import orjson
import structlog
from pydantic import BaseModel, SecretStr

from alliance.passcodes import Asker
from alliance.passcodes.service import Told
from alliance.runtime import Runtime
from domain.attempts.commands import Limit, count
from domain.attempts.errors import TooManyAttempts
from domain.errors import Refusal
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef, Resolved
from domain.members.queries import resolve
from server.access.errors import OAuthError
from server.access.one_time import oauth_error

GRANT = "urn:tessera:grant-type:wechat"
HOW = "wechat"
OPENID, UNIONID = "WECHAT_OPENID", "WECHAT_UNIONID"
"""Types of identifiers of the alliance file; the issuer of an openid is the app."""

MOST_BYTES = 65_536
LONGEST_CODE = 512
HOUR = timedelta(hours=1)
BY_HOST, BY_CLIENT = Limit("wechat, host", 100, HOUR), Limit("wechat, client", 20_000, HOUR)

BAD_CODE = frozenset({40029, 40163, 40226, 41008})
"""The code is none, was used, is missing; or WeChat has blocked who it is of."""
TOO_OFTEN = frozenset({45011, 45009})
BUSY = -1

CHANNELS = {"mini_program": "MINI_PROGRAM", "official": "SOCIAL", "app": "APP", "web": "WEB"}

log = structlog.get_logger("sign-in")


class WeChatApp(BaseModel):
    """One app of a merchant's that is registered with WeChat."""

    merchant: str
    kind: Literal["mini_program", "official", "app", "web"]
    secret: SecretStr


class Known(NamedTuple):
    """What WeChat says of who has the code."""

    openid: str
    unionid: str | None


class WeChat:
    """The port to WeChat: at `url`, within so many seconds. Its connections are kept as long as the process."""

    def __init__(self, url: str, seconds: float = 5.0) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=seconds, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def known(self, app_id: str, app: WeChatApp, code: str) -> Known:
        """Who has this code, once. Raises OAuthError."""
        secret = app.secret.get_secret_value()
        if app.kind == "mini_program":
            path, named = "/sns/jscode2session", {"appid": app_id, "secret": secret, "js_code": code}
        else:
            path, named = "/sns/oauth2/access_token", {"appid": app_id, "secret": secret, "code": code}
        said = await self._asked(path, named | {"grant_type": "authorization_code"})
        if error := said.get("errcode"):
            raise _refused(error, app_id)
        openid, unionid = said.get("openid"), said.get("unionid")
        if not isinstance(openid, str) or not openid or not isinstance(unionid, str | None):
            raise _unavailable("GARBLED", app_id)
        return Known(openid, unionid or None)

    async def _asked(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        app_id = params["appid"]
        read = b""
        try:
            async with self._client.stream("GET", f"{self._url}{path}", params=params) as answer:
                if not answer.is_success:
                    raise _unavailable(f"HTTP {answer.status_code}", app_id)
                async for part in answer.aiter_bytes():
                    read += part
                    if len(read) > MOST_BYTES:
                        raise _unavailable("TOO_LONG", app_id)
            said = orjson.loads(read)
        except httpx.HTTPError as fault:  # its text has the secret
            raise _unavailable(type(fault).__name__, app_id) from None
        except orjson.JSONDecodeError:
            raise _unavailable("GARBLED", app_id) from None
        if not isinstance(said, dict):
            raise _unavailable("GARBLED", app_id)
        return said


class WeChatGrant:
    """For members of the client's merchant, and who becomes one."""

    def __init__(self, runtime: Runtime, wechat: WeChat, apps: Mapping[str, WeChatApp], told: Told) -> None:
        self._runtime, self._wechat, self._apps, self._told = runtime, wechat, apps, told

    async def member(self, asker: Asker, form: Mapping[str, str]) -> UUID:
        """Who has the code. Raises OAuthError."""
        app_id, code = form.get("app_id", ""), form.get("code", "")
        app = self._apps.get(app_id)
        if app is None or app.merchant != asker.merchant.code:
            raise OAuthError("invalid_request", "app_id is none of this merchant's")
        if not 1 <= len(code) <= LONGEST_CODE:
            raise OAuthError("invalid_request", "code is missing, or too long")
        now = datetime.now(UTC)
        await self._counted(asker, now)
        try:
            known = await self._wechat.known(app_id, app, code)
            found = await self._found(asker, app_id, app, known, now)
        except OAuthError as error:
            self._tell(asker, app_id, "WRONG" if error.code == "invalid_grant" else "UNAVAILABLE")
            raise
        self._tell(asker, app_id, "GOOD")
        return found

    async def _found(self, asker: Asker, app_id: str, app: WeChatApp, known: Known, now: datetime) -> UUID:
        """Found by either, or enrolled; what was not known of them is from now on."""
        catalogue, merchant = self._runtime.catalogue, asker.merchant.code
        refs = [IdentifierRef(OPENID, app_id, known.openid)]
        if known.unionid is not None and UNIONID in catalogue.identifier_types:
            refs.append(IdentifierRef(UNIONID, None, known.unionid))
        try:
            async with self._runtime.database.transaction() as session:
                if not asker.enrols:
                    people = await resolve(session, catalogue, [(merchant, ref) for ref in refs])
                    if not any(isinstance(one, Resolved) and one.joined for one in people):
                        raise OAuthError("invalid_grant", "nobody here is known by this WeChat account")
                ask = EnrolAsk(merchant, CHANNELS[app.kind], None, tuple(refs), now)
                return (await enrol(session, catalogue, ask)).member_id
        except Refusal as refusal:
            raise oauth_error(refusal) from None

    async def _counted(self, asker: Asker, now: datetime) -> None:
        limited = [(BY_CLIENT, str(asker.client_id))]
        if asker.host is not None:
            limited.append((BY_HOST, asker.host))
        async with self._runtime.database.transaction() as session:
            if wait := await count(session, limited, now):
                await session.rollback()
        if wait:
            self._told(HOW, "LIMITED")
            raise oauth_error(TooManyAttempts(retry_after=wait))

    def _tell(self, asker: Asker, app_id: str, result: str) -> None:
        self._told(HOW, result)
        log.info("wechat code", result=result, client=str(asker.client_id), app=app_id)


def _refused(error: Any, app_id: str) -> OAuthError:
    """What an error code of WeChat's is here."""
    if error in BAD_CODE:
        return OAuthError("invalid_grant", "the code is no good (any more): ask WeChat for another")
    if error in TOO_OFTEN:
        return OAuthError("slow_down", "WeChat is asked too often", status=429, headers={"Retry-After": "60"})
    if error != BUSY:  # the app id or its secret, say: nobody signs in until somebody looks
        log.error("wechat refuses", errcode=error if isinstance(error, int) else None, app=app_id)
    return OAuthError("temporarily_unavailable", "try again", status=503, headers={"Retry-After": "5"})


def _unavailable(why: str, app_id: str) -> OAuthError:
    log.warning("wechat does not answer", reason=why, app=app_id)
    return OAuthError("temporarily_unavailable", "try again", status=503, headers={"Retry-After": "5"})
