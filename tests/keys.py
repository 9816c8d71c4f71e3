"""The keys of all databases that tests make: given to what runs here, and to the commands that tests start."""

import base64
import os

from domain.members.sealing import hash_of
from domain.privacy.keys import KEY_BYTES, GivenKeys, WrappingKey
from domain.privacy.vault import Vault

_WRAPPING, _LOOKUP = b"w" * KEY_BYTES, b"the look-up secret of all tests."

KEYS = GivenKeys((WrappingKey.of(_WRAPPING),), _LOOKUP)
KEYS_SET = {
    "TESSERA_WRAPPING_KEYS": base64.b64encode(_WRAPPING).decode(),
    "TESSERA_LOOKUP_SECRET": _LOOKUP.decode(),
}
"""The same, as settings."""

os.environ.update(KEYS_SET)

VAULT = Vault(KEYS)


def hashed(type_: str, value: str, issuer: str = "grocer") -> str:
    """What an identifier lies in the tables as."""
    return hash_of(VAULT, (type_, issuer, value))
