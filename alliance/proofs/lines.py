"""A leaf's obligations, each committed to on its own, so that one can be opened to its two parties and no more.

The leaf of an operation that makes something owed is the hash of `rest` (the salted hash of the leaf's data, which say
whose operation it is) and of a commitment an obligation. An obligation in turn holds where it happened, the order and
the store as a salted hash, which is opened to the merchant where it happened. All salts are derived from that of the
leaf's terms, and no salt tells another.
"""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from alliance.proofs.canonical import SALT_SIZE, canonical, salted_hash
from domain.ledger.merkle import leaf_hash

LINE = (
    *("agreement_version", "amount", "booked_at", "creditor_id", "currency", "cycle_id", "debtor_id", "kind", "late"),
    *("occurred_at", "points", "price"),
)
"""What both parties may see of an obligation; and `reverses`, that it does, and `place`, the hash of the rest."""

PLACE = ("merchant_id", "order_ref", "store")
"""What only the merchant where it happened may see."""

# No other leaf's hash begins like this: its 17th byte, after the salt, is a brace.
_LABEL = b"tessera: a leaf, then its lines\n"

Row = Mapping[str, Any]


def salts_of(terms_salt: bytes, seq: int) -> tuple[bytes, bytes]:
    """The salts of a leaf's obligation and of its place."""
    derived = hmac.digest(terms_salt, b"line" + seq.to_bytes(2), "sha256")
    return derived[:SALT_SIZE], derived[SALT_SIZE:]


def place_hash(place: Row, salt: bytes) -> bytes:
    """The commitment to where it happened; null is left out."""
    return salted_hash(salt, canonical({name: place[name] for name in PLACE if place.get(name) is not None}))


def commitment(row: Row, place: bytes, salt: bytes) -> bytes:
    """The commitment to an obligation, of which `row` has at least what both parties may see."""
    line = {name: row[name] for name in LINE if row.get(name) is not None}
    if row.get("reverses") is not None:
        line["reverses"] = True
    return salted_hash(salt, canonical(line | {"place": place.hex()}))


def commitments(rows: Sequence[Row], terms_salt: bytes) -> list[bytes]:
    """Those of all obligations of an operation, as its terms have them."""
    made = []
    for row in rows:
        salt, place_salt = salts_of(terms_salt, row["seq"])
        made.append(commitment(row, place_hash(row, place_salt), salt))
    return made


def entry_with_lines(rest: bytes, lines: Sequence[bytes]) -> bytes:
    """The 32 bytes that enter the tree for a leaf with lines."""
    return sha256(b"".join((_LABEL, rest, *lines))).digest()


def lines_as_sealed(
    data: Mapping[str, Any], terms: Mapping[str, Any], salt: bytes, hashed: bytes
) -> list[bytes] | None:
    """The lines of the leaf of this hash, none for an older one; None if data and terms are not what was sealed.

    `salt` is the leaf's salt and that of its terms.
    """
    salt, terms_salt = salt[:SALT_SIZE], salt[SALT_SIZE:]
    if data.get("terms") != salted_hash(terms_salt, canonical(dict(terms))).hex():
        return None
    entry = salted_hash(salt, canonical(dict(data)))
    if leaf_hash(entry) == hashed:
        return []
    lines = commitments(terms.get("obligations", ()), terms_salt)
    return lines if lines and leaf_hash(entry_with_lines(entry, lines)) == hashed else None
