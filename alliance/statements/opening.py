"""What opens one line in its leaf, and how it stands in the file of proofs. Pure: a partner's machine reads it too."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.lines import commitment, entry_with_lines, place_hash
from domain.ledger.merkle import HASH_SIZE, leaf_hash

FORMAT = "tessera-line-proofs-1"


class BadOpening(ValueError):
    """What stands there opens nothing, and why."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Which leaf, its hash, what enters it beside its lines, the line's salt, the commitments around it.

    `place` is the salt of where it happened, opened for the `merchant` of this id; else its hash, and no merchant.
    """

    index: int
    leaf: bytes
    rest: bytes
    salt: bytes
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]
    merchant: str | None
    place: bytes

    def hashes_to(self, row: dict[str, Any]) -> bytes:
        """The leaf hash that a line makes: `row` has its fields as `alliance.proofs.lines` names them."""
        place = self.place
        if self.merchant is not None:
            place = place_hash(row | {"merchant_id": self.merchant}, self.place)
        line = commitment(row, place, self.salt)
        return leaf_hash(entry_with_lines(self.rest, (*self.before, line, *self.after)))


def to_row(opening: Opening) -> list[Any]:
    """As it stands in the file: index, leaf, rest, salt, before, after, merchant, place."""
    before, after = b"".join(opening.before), b"".join(opening.after)
    parts = [_text(part) for part in (opening.leaf, opening.rest, opening.salt, before, after)]
    return [opening.index, *parts, opening.merchant, _text(opening.place)]


def from_row(row: Any) -> Opening:
    """The opposite of `to_row`. Raises BadOpening."""
    try:
        index, leaf, rest, salt, before, after, merchant, place = row
        opening = Opening(
            index,
            _bytes(leaf, HASH_SIZE),
            _bytes(rest, HASH_SIZE),
            _bytes(salt, SALT_SIZE),
            _hashes(before),
            _hashes(after),
            merchant,
            _bytes(place, HASH_SIZE if merchant is None else SALT_SIZE),
        )
    except (ValueError, TypeError) as error:
        raise BadOpening(str(error)) from None
    if not isinstance(index, int) or isinstance(index, bool) or not isinstance(merchant, str | None):
        raise BadOpening("this opens no line")
    return opening


def nodes_of(text: Any) -> list[bytes]:
    """The shared hashes of a stretch. Raises BadOpening."""
    try:
        return list(_hashes(text))
    except (ValueError, TypeError) as error:
        raise BadOpening(str(error)) from None


def _hashes(text: str) -> tuple[bytes, ...]:
    content = _bytes(text)
    if len(content) % HASH_SIZE:
        raise ValueError("a hash is cut off")
    return tuple(content[at : at + HASH_SIZE] for at in range(0, len(content), HASH_SIZE))


def _bytes(text: str, size: int | None = None) -> bytes:
    content = b64decode(text, validate=True)
    if _text(content) != text or size not in (None, len(content)):
        raise ValueError("these are not the bytes of a hash or salt")
    return content


def _text(content: bytes) -> str:
    return b64encode(content).decode()
