"""A code: what it says, to whom, and for how long."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from domain.codes.rules import ANNOUNCED, DIGITS, LIFE, SKEW, CodeKey, Codes, is_good
from domain.errors import InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MEMBER = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def test_a_code_reads_the_same_in_either_form() -> None:
    codes = Codes([CodeKey.new(NOW)])
    code = codes.issue(MEMBER, NOW)
    shown = codes.read(code.token)
    assert shown == codes.read(code.payload)
    assert (shown.member_id, shown.expires_at) == (MEMBER, NOW + LIFE)
    assert code.payload.isdigit()
    assert len(code.payload) == DIGITS == 229


def test_a_till_checks_it_with_the_public_keys_and_learns_nothing_of_the_member() -> None:
    codes = Codes([CodeKey.new(NOW)])
    code = codes.issue(MEMBER, NOW)
    till = KeySet.import_key_set(codes.jwks)
    claims = jwt.decode(code.token, till, algorithms=["ES256"]).claims
    assert claims["exp"] == int((NOW + LIFE).timestamp())
    assert set(claims) == {"exp", "sub"}
    assert all("d" not in key for key in codes.jwks["keys"])
    other = codes.issue(MEMBER, NOW)
    assert jwt.decode(other.token, till, algorithms=["ES256"]).claims["sub"] != claims["sub"]


def test_a_code_is_good_for_a_minute() -> None:
    codes = Codes([CodeKey.new(NOW)])
    shown = codes.read(codes.issue(MEMBER, NOW).token)
    assert is_good(shown, NOW)
    assert is_good(shown, NOW - SKEW)
    assert not is_good(shown, NOW - SKEW - timedelta(seconds=1))
    assert is_good(shown, NOW + LIFE - timedelta(milliseconds=1))
    assert not is_good(shown, NOW + LIFE)


def test_what_is_no_code_of_ours_is_refused() -> None:
    codes, others = Codes([CodeKey.new(NOW)]), Codes([CodeKey.new(NOW)])
    code = codes.issue(MEMBER, NOW)
    head, claims, signature = code.token.split(".")
    changed = chr(ord(code.payload[100]) ^ 1)
    forged = [
        others.issue(MEMBER, NOW).token,
        others.issue(MEMBER, NOW).payload,
        f"{head}.{others.issue(MEMBER, NOW).token.split('.')[1]}.{signature}",
        f"{head}.{claims}.",
        f"eyJhbGciOiJub25lIn0.{claims}.",
        code.payload[:100] + changed + code.payload[101:],
        *("", ".", "..", "1", "9" * DIGITS, "٣" * DIGITS, "x" * 5000, "{}.{}.{}"),
    ]
    for text in forged:
        with pytest.raises(InvalidInput):
            codes.read(text)


def test_keys_rotate_without_a_code_being_refused() -> None:
    old, new = CodeKey.new(NOW - ANNOUNCED), CodeKey.new(NOW + ANNOUNCED)
    codes = Codes([CodeKey.parse(str(old)), CodeKey.parse(str(new))])
    assert [key["kid"] for key in codes.jwks["keys"]] == [old.kid, new.kid]
    before, after = codes.issue(MEMBER, NOW), codes.issue(MEMBER, NOW + ANNOUNCED)
    assert Codes([old]).read(before.token).member_id == MEMBER
    with pytest.raises(InvalidInput):
        Codes([old]).read(after.token)
    for code in (before, after):
        assert codes.read(code.payload).member_id == MEMBER
    with pytest.raises(ValueError, match="not a key"):
        CodeKey.parse('{"kty": "EC"}')
