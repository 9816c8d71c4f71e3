"""Tokens: only ours, only in time, only for us; and checked quickly."""

import base64
import json
import uuid
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from resolvers.viewer import ALLOWED_SCOPES, DEFAULT_SCOPES, MEANING, InvalidToken, Scope, Viewer
from server.access.tokens import AUDIENCE, ISSUER, TokenVerifier, issue_token

SECRET = b"a secret of at least 32 characters"
NOW = 1_700_000_000


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def merchant_viewer() -> Viewer:
    client, merchant = uuid.uuid4(), uuid.uuid4()
    return Viewer("merchant", client, client, merchant, None, frozenset({"points:read", "points:earn"}))


def good_claims() -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 60,
        "jti": uuid.uuid4().hex,
        "sub": str(uuid.uuid4()),
        "client_id": str(uuid.uuid4()),
        "kind": "operator",
        "scope": "clock",
    }


def signed(claims: dict[str, Any], *, secret: bytes = SECRET, alg: str = "HS256", typ: str = "at+jwt") -> str:
    return jwt.encode({"alg": alg, "typ": typ}, claims, OctKey.import_key(secret), algorithms=[alg])


def test_what_is_issued_signs_in_the_same_viewer() -> None:
    verifier = TokenVerifier(SECRET)
    member = uuid.uuid4()
    for viewer in (
        merchant_viewer(),
        Viewer("member", uuid.uuid4(), member, None, member, DEFAULT_SCOPES["member"]),
        Viewer("auditor", member, member, None, None, frozenset()),
    ):
        token = issue_token(SECRET, viewer)
        assert verifier.verify(token) == viewer
        assert verifier.verify(token) is verifier.verify(token), "checked once"


def test_good_claims_are_good() -> None:
    assert TokenVerifier(SECRET, clock=Clock()).verify(signed(good_claims())).scopes == {"clock"}


def test_expires_also_when_remembered() -> None:
    clock = Clock()
    verifier = TokenVerifier(SECRET, clock=clock)
    token = issue_token(SECRET, merchant_viewer(), lifetime=60, now=NOW)
    clock.now = NOW + 59.9
    verifier.verify(token)
    clock.now = NOW + 60
    for _ in range(2):
        with pytest.raises(InvalidToken, match="expired"):
            verifier.verify(token)
    clock.now = NOW + 600
    with pytest.raises(InvalidToken, match="expired"):
        verifier.verify(token)


def _unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "at+jwt"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}."


def _by_rsa(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "typ": "at+jwt"}, claims, RSAKey.generate_key(2048))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(good_claims(), secret=b"another secret of 32 characters!!"), "signature is wrong"),
        (signed(good_claims())[:-6] + "AAAAAA", "signature is wrong"),
        (_unsigned(good_claims()), "cannot be read"),
        (_by_rsa(good_claims()), "cannot be read"),
        (signed(good_claims(), alg="HS512"), "cannot be read"),
        (signed(good_claims(), typ="JWT"), "no access token"),
        (signed(good_claims() | {"aud": "another-api"}), "aud is wrong"),
        (signed(good_claims() | {"iss": "another"}), "iss is wrong"),
        (signed(good_claims() | {"kind": "king"}), "kind is wrong"),
        (signed(good_claims() | {"exp": NOW - 60}), "expired"),
        (signed(good_claims() | {"iat": NOW + 3600, "exp": NOW + 7200}), "cannot be read|iat is wrong"),
        (signed(good_claims() | {"exp": "soon"}), "exp is wrong|cannot be read"),
        (signed(good_claims() | {"sub": "ann"}), "cannot be read"),
        (signed(good_claims() | {"scope": ["clock"]}), "cannot be read"),
        *[
            (signed({name: value for name, value in good_claims().items() if name != left_out}), f"{left_out} is wrong")
            for left_out in ("iss", "aud", "exp", "iat", "sub", "client_id", "kind")
        ],
        ("", "cannot be read"),
        ("a.b.c", "cannot be read"),
        ("ü" * 20, "cannot be read"),
        (signed(good_claims()) + "." + "a" * 5000, "too long"),
    ],
)
def test_others_are_refused(token: str, reason: str) -> None:
    verifier = TokenVerifier(SECRET, clock=Clock())
    for _ in range(2):
        with pytest.raises(InvalidToken, match=reason):
            verifier.verify(token)


def test_remembers_no_more_than_it_should() -> None:
    verifier = TokenVerifier(SECRET, remember=2)
    tokens = [issue_token(SECRET, merchant_viewer()) for _ in range(3)]
    first = verifier.verify(tokens[0])
    verifier.verify(tokens[1])
    assert verifier.verify(tokens[0]) is first
    verifier.verify(tokens[2])
    assert verifier.verify(tokens[0]) is first, "used last, so kept"
    assert len(verifier._known) == 2
    assert tokens[1] not in verifier._known


def test_scopes() -> None:
    assert set(MEANING) == set(Scope)
    for kind, scopes in DEFAULT_SCOPES.items():
        assert Scope.CLOCK not in scopes
        assert scopes <= ALLOWED_SCOPES[kind] <= set(Scope)
        assert (Scope.CLOCK in ALLOWED_SCOPES[kind]) == (kind == "operator")
    assert Scope.IDENTIFIERS_READ not in ALLOWED_SCOPES["auditor"]
    assert all(scope.endswith(":read") for scope in ALLOWED_SCOPES["auditor"])
