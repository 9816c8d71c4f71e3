"""Access tokens: JWT (RFC 9068), signed with the secret that all API processes share, checked once and remembered."""

import math
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from resolvers.viewer import ALLOWED_SCOPES, InvalidToken, Viewer

ISSUER = "tessera"
AUDIENCE = "tessera-api"
ALGORITHM = "HS256"
LIFETIME = 3600
"""Seconds that a client's token lives."""
MEMBER_LIFETIME = 900
"""Seconds that a member's token lives."""
SKEW = 10
"""Seconds by which the clocks of machines that issue tokens may differ from this one's."""
REMEMBERED = 86_400
"""Seconds for which it is remembered at least what was revoked: longer than a token lives."""
LONGEST = 4096
"""Characters; a longer token is not looked at."""


def issue_token(
    secret: bytes,
    viewer: Viewer,
    *,
    lifetime: int = LIFETIME,
    now: float | None = None,
    session_id: uuid.UUID | None = None,
) -> str:
    """A token that signs in `viewer` for `lifetime` seconds; as part of a session, if there is one."""
    issued = time.time() if now is None else now
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": round(issued, 3),  # what is revoked now leaves alone what is issued next
        "exp": int(issued) + lifetime,
        "jti": uuid.uuid4().hex,
        "sub": str(viewer.subject),
        "client_id": str(viewer.client_id),
        "kind": viewer.kind,
        "scope": " ".join(sorted(viewer.scopes)),
    }
    if viewer.merchant_id is not None:
        claims["merchant"] = str(viewer.merchant_id)
    if viewer.member_id is not None:
        claims["member"] = str(viewer.member_id)
    if session_id is not None:
        claims["sid"] = str(session_id)
    if viewer.device_id is not None:
        claims["device"] = str(viewer.device_id)
    return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt"}, claims, OctKey.import_key(secret))


class Accepted(NamedTuple):
    """A token that was good: until when, whom it signs in, when it was issued, and by which ids it may be revoked."""

    expires: float
    viewer: Viewer
    issued: float
    token_id: uuid.UUID
    ids: tuple[uuid.UUID, ...]


class TokenVerifier:
    """Checks tokens. One that was good is remembered until it expires or is revoked, the `remember` last used at most.

    What is revoked it is told (server.access.revocations); a token that is remembered costs no look at that.
    """

    def __init__(self, secret: bytes, *, remember: int = 10_000, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(secret)
        self._remember = remember
        self._clock = clock
        self._known: OrderedDict[str, Accepted] = OrderedDict()
        self._revoked: dict[uuid.UUID, tuple[float, float]] = {}

    def verify(self, bearer: str) -> Viewer:
        """The viewer whom this token signs in. Raises InvalidToken."""
        known = self._known.get(bearer)
        if known is None:
            known = self._checked(bearer)
            self._known[bearer] = known
            if len(self._known) > self._remember:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(bearer)
        if self._clock() >= known.expires:
            del self._known[bearer]
            raise InvalidToken("the token has expired")
        return known.viewer

    def revoke(self, revocations: Iterable[tuple[uuid.UUID, float | None]]) -> None:
        """Accept no token any more that names one of these ids; those issued from that moment on are good, if given."""
        now = self._clock()
        fresh = {id_: (math.inf if before is None else before, now) for id_, before in revocations}
        fresh = {id_: said for id_, said in fresh.items() if self._revoked.get(id_, (0.0, 0.0))[0] < said[0]}
        if not fresh:
            return
        self._revoked |= fresh
        for bearer in [bearer for bearer, known in self._known.items() if self._is_revoked(known)]:
            del self._known[bearer]
        if len(self._revoked) > self._remember:
            self._revoked = {id_: said for id_, said in self._revoked.items() if now - said[1] < REMEMBERED}

    def _is_revoked(self, token: Accepted) -> bool:
        return any(token.issued < self._revoked.get(id_, (0.0, 0.0))[0] for id_ in token.ids)

    def read(self, bearer: str) -> Accepted:
        """As `verify`, with all that is known of the token. Raises InvalidToken."""
        self.verify(bearer)
        return self._known[bearer]

    def _checked(self, bearer: str) -> Accepted:
        """The token, its signature and claims checked."""
        if len(bearer) > LONGEST:
            raise InvalidToken("the token is too long")
        try:
            token = jwt.decode(bearer, self._key, algorithms=[ALGORITHM])
            _registry(int(self._clock())).validate(token.claims)
            if token.header.get("typ") != "at+jwt":
                raise InvalidToken("the token is no access token")
            accepted = _accepted(token.claims)
            if self._is_revoked(accepted):
                raise InvalidToken("the token was revoked")
            return accepted
        except ExpiredTokenError:
            raise InvalidToken("the token has expired") from None
        except BadSignatureError:
            raise InvalidToken("the token's signature is wrong") from None
        except (InvalidClaimError, MissingClaimError) as error:
            raise InvalidToken(f"the token's {error.claim} is wrong or missing") from None
        except (JoseError, ValueError, TypeError, AttributeError):
            raise InvalidToken("the token cannot be read") from None


def _registry(now: int) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=now,
        leeway=SKEW,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
        sub={"essential": True},
        client_id={"essential": True},
        kind={"essential": True, "values": [str(kind) for kind in ALLOWED_SCOPES]},
    )


def _accepted(claims: dict[str, Any]) -> Accepted:
    viewer = _viewer(claims)
    token_id = uuid.UUID(claims["jti"])
    ids = {token_id, viewer.client_id, viewer.subject}
    if "sid" in claims:
        ids.add(uuid.UUID(claims["sid"]))
    return Accepted(float(claims["exp"]), viewer, float(claims["iat"]), token_id, tuple(ids))


def _viewer(claims: dict[str, Any]) -> Viewer:
    merchant, member, device = (claims.get(name) for name in ("merchant", "member", "device"))
    return Viewer(
        kind=claims["kind"],
        client_id=uuid.UUID(claims["client_id"]),
        subject=uuid.UUID(claims["sub"]),
        merchant_id=None if merchant is None else uuid.UUID(merchant),
        member_id=None if member is None else uuid.UUID(member),
        scopes=frozenset(claims.get("scope", "").split()),
        device_id=None if device is None else uuid.UUID(device),
    )
