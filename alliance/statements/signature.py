"""What is signed of a statement: a note that names it, says what it comes to, and has the hashes of its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alliance.proofs.notes import BadNote, PrivateKey, PublicKey, read_note, signed_note

KINDS = ("jsonl", "csv")
"""Files whose SHA-256 is signed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What the note says. `sum` is millionths; positive is to be received."""

    log: str
    alliance: str
    cycle: int
    merchant: str
    lines: int
    sum: str
    currency: str
    hashes: Mapping[str, str]

    @property
    def text(self) -> str:
        """As it is signed. It is no checkpoint: the second line is no size."""
        files = "".join(f"{kind} sha256 {self.hashes[kind]}\n" for kind in KINDS)
        return (
            f"{self.log}\nstatement {self.cycle} {self.merchant} of {self.alliance}\n"
            f"{self.lines} lines\n{self.sum} {self.currency}\n{files}"
        )


def sign(said: Signed, keys: Sequence[PrivateKey]) -> str:
    """The note, with a signature of each key."""
    return signed_note(said.text, keys)


def read_signed(note: str, keys: Sequence[PublicKey]) -> tuple[Signed, PublicKey]:
    """What a note says, and the first of the keys that signed it. Raises BadNote where none did."""
    text, signers = read_note(note, keys)
    try:
        log, what, lines, sum_, *files = text.removesuffix("\n").split("\n")
        _, cycle, merchant, _, alliance = what.split(" ")
        amount, currency = sum_.split(" ")
        hashes = {kind: digest for kind, _, digest in (file.split(" ") for file in files)}
        said = Signed(log, alliance, int(cycle), merchant, int(lines.split(" ")[0]), amount, currency, hashes)
        whole = said.text == text
    except (ValueError, KeyError):
        raise BadNote("this is no signature of a statement") from None
    if not whole:
        raise BadNote("this is no signature of a statement")
    for key in signers:
        if key.name == log:
            return said, key
    raise BadNote("the statement is signed by none of the known keys")
