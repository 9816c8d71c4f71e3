"""A code: a signed token that says, for a minute, that its bearer is a member. Pure but for the random part.

It is a JWT (RFC 7519) in JWS compact form, signed with ES256, whose claims are `exp` and `sub`: any library for JWT
checks it against the published keys. `sub` is a random nonce and the member's id, encrypted so that only we can read
it and no two codes of a member look alike. The same in digits makes a QR code of 41 x 41 modules instead of 57 x 57.
"""

import base64
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from domain.codes.model import MemberCode, Shown
from domain.errors import InvalidInput

LIFE = timedelta(seconds=60)
ALGORITHM = "ES256"
SKEW = timedelta(seconds=10)
"""By how much the clock of the machine that issued a code may be ahead."""
ANNOUNCED = timedelta(days=1)
"""So long a new key is published before it signs: tills keep the keys that they fetched for less."""

_KID, _EXP, _SUB, _SIGNATURE = 3, 4, 24, 64  # bytes
_PACKED = _KID + _EXP + _SUB + _SIGNATURE
DIGITS = len(str(256**_PACKED - 1))
LONGEST = 400


@dataclass(frozen=True, slots=True)
class CodeKey:
    """A key that signs codes from a moment on, and is trusted for as long as it is in the list."""

    key: ECKey
    kid: str
    signs_from: datetime
    sealing: bytes

    @classmethod
    def new(cls, signs_from: datetime) -> "CodeKey":
        """A fresh one."""
        return cls._of(ECKey.generate_key("P-256"), signs_from)

    @classmethod
    def parse(cls, line: str) -> "CodeKey":
        """From a private JWK (RFC 7517) with a member `signs_from`, in seconds since 1970. Raises ValueError."""
        try:
            read: dict[str, Any] = json.loads(line)
            moment = datetime.fromtimestamp(read.pop("signs_from"), UTC)
            key = ECKey.import_key({name: read[name] for name in ("kty", "crv", "x", "y", "d")})
        except (KeyError, TypeError, JoseError) as error:
            raise ValueError(f"not a key for codes: {type(error).__name__}") from None
        if key.curve_name != "P-256":
            raise ValueError("a key for codes is of the curve P-256")
        return cls._of(key, moment)

    @classmethod
    def _of(cls, key: ECKey, signs_from: datetime) -> "CodeKey":
        private = base64.urlsafe_b64decode(str(key.as_dict(private=True)["d"]) + "=")
        sealing = HKDF(SHA256(), 16, None, b"tessera member code: subject").derive(private)
        return cls(key, key.thumbprint()[:4], signs_from, sealing)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return json.dumps(self.key.as_dict(private=True) | {"signs_from": int(self.signs_from.timestamp())})

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK for everybody."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "alg": ALGORITHM, "use": "sig"}


class Codes:
    """Issues and reads codes with these keys, oldest first: the newest whose time has come signs, all are trusted."""

    def __init__(self, keys: Sequence[CodeKey]) -> None:
        self._keys = {key.kid: key for key in keys}
        self._in_order = sorted(keys, key=lambda key: key.signs_from)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517)."""
        return {"keys": [key.public for key in self._in_order]}

    def issue(self, member_id: uuid.UUID, as_of: datetime) -> MemberCode:
        """A code of this member's, good from `as_of` on for a minute."""
        key = next((key for key in reversed(self._in_order) if key.signs_from <= as_of), self._in_order[0])
        exp = int((as_of + LIFE).timestamp())
        nonce = secrets.token_bytes(8)
        subject = nonce + _sealed(key, nonce, exp, member_id.bytes)
        token = jws.serialize_compact({"alg": ALGORITHM, "kid": key.kid}, _claims(exp, subject), key.key)
        return MemberCode(token, _digits(key.kid, exp, subject, token), datetime.fromtimestamp(exp, UTC))

    def read(self, text: str) -> Shown:
        """What a code says, in either form; whether it still holds is for who uses it. Raises InvalidInput."""
        try:
            token = _of_digits(text) if text.isdigit() and text.isascii() else text
            if len(token) > LONGEST:
                raise ValueError
            key = self._keys[json.loads(_decoded(token.partition(".")[0]))["kid"]]
            claims = json.loads(jws.deserialize_compact(token, key.key, algorithms=[ALGORITHM]).payload)
            exp, subject = claims["exp"], _decoded(claims["sub"])
            expires_at = datetime.fromtimestamp(exp, UTC)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise InvalidInput(reason="not a code of a member's", path=("token",)) from None
        nonce = subject[:8]
        member_id = uuid.UUID(bytes=_sealed(key, nonce, exp, subject[8:]))
        return Shown(member_id, int.from_bytes(nonce, "big", signed=True), expires_at)


def is_good(shown: Shown, at: datetime) -> bool:
    """Whether a code could have been shown then."""
    return shown.expires_at - LIFE - SKEW <= at < shown.expires_at


def _claims(exp: int, subject: bytes) -> bytes:
    """In one spelling, so that the digits need not carry it."""
    return f'{{"exp":{exp},"sub":"{_encoded(subject)}"}}'.encode()


def _sealed(key: CodeKey, nonce: bytes, exp: int, text: bytes) -> bytes:
    """Encrypted or decrypted: one block of AES in counter mode, its counter never the same twice."""
    counter = nonce + exp.to_bytes(4, "big") + bytes(4)
    cipher = Cipher(algorithms.AES(key.sealing), modes.CTR(counter)).encryptor()
    return cipher.update(text) + cipher.finalize()


def _digits(kid: str, exp: int, subject: bytes, token: str) -> str:
    """A token in digits."""
    packed = _decoded(kid) + exp.to_bytes(_EXP, "big") + subject + _decoded(token.rpartition(".")[2])
    return str(int.from_bytes(packed, "big")).zfill(DIGITS)


def _of_digits(digits: str) -> str:
    """The token that was written in digits. Raises ValueError, OverflowError."""
    if len(digits) != DIGITS:
        raise ValueError
    packed = int(digits).to_bytes(_PACKED, "big")
    kid, rest = _encoded(packed[:_KID]), packed[_KID:]
    exp, subject = int.from_bytes(rest[:_EXP], "big"), rest[_EXP : _EXP + _SUB]
    header = f'{{"alg":"{ALGORITHM}","kid":"{kid}"}}'.encode()
    return ".".join(map(_encoded, (header, _claims(exp, subject), rest[_EXP + _SUB :])))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
