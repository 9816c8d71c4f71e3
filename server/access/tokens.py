"""Access tokens: JWT (RFC 9068), signed with the secret that all API processes share, checked once and remembered."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

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
LONGEST = 4096
"""Characters; a longer token is not looked at."""


def issue_token(secret: bytes, viewer: Viewer, *, lifetime: int = LIFETIME, now: float | None = None) -> str:
    """A token that signs in `viewer` for `lifetime` seconds."""
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + lifetime,
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
    return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt"}, claims, OctKey.import_key(secret))


class TokenVerifier:
    """Checks tokens. One that was good is remembered until it expires, the `remember` last used at most."""

    def __init__(self, secret: bytes, *, remember: int = 10_000, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(secret)
        self._remember = remember
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Viewer]] = OrderedDict()

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
        expires, viewer = known
        if self._clock() >= expires:
            del self._known[bearer]
            raise InvalidToken("the token has expired")
        return viewer

    def _checked(self, bearer: str) -> tuple[float, Viewer]:
        """When the token expires and whom it signs in, its signature and claims checked."""
        if len(bearer) > LONGEST:
            raise InvalidToken("the token is too long")
        try:
            token = jwt.decode(bearer, self._key, algorithms=[ALGORITHM])
            _registry(int(self._clock())).validate(token.claims)
            if token.header.get("typ") != "at+jwt":
                raise InvalidToken("the token is no access token")
            return float(token.claims["exp"]), _viewer(token.claims)
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
        sub={"essential": True},
        client_id={"essential": True},
        kind={"essential": True, "values": [str(kind) for kind in ALLOWED_SCOPES]},
    )


def _viewer(claims: dict[str, Any]) -> Viewer:
    merchant, member = claims.get("merchant"), claims.get("member")
    return Viewer(
        kind=claims["kind"],
        client_id=uuid.UUID(claims["client_id"]),
        subject=uuid.UUID(claims["sub"]),
        merchant_id=None if merchant is None else uuid.UUID(merchant),
        member_id=None if member is None else uuid.UUID(member),
        scopes=frozenset(claims.get("scope", "").split()),
    )
