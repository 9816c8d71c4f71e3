"""A statement checked by whoever received it: on their machine, offline, without trust in who sent it.

Checked are the signature of the file, every line's place in the log of the signed checkpoint, and the arithmetic: each
amount against points and price, each balance and the trailer against the lines, rounding (A6). Nothing is read but the
files and the keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from alliance.proofs.notes import BadNote, Checkpoint, PublicKey, read_checkpoint
from alliance.statements.opening import FORMAT as PROOFS
from alliance.statements.opening import BadOpening, Opening, from_row, nodes_of
from alliance.statements.rules import FORMAT, Balance, Totals, micro, price
from alliance.statements.signature import Signed, read_signed
from domain.errors import InvalidInput
from domain.ledger.merkle import root_of_many
from domain.money import exponent, scaled

MOST = 1000
"""Findings that are kept; all are counted."""


class NoStatement(ValueError):
    """The files are none that could be checked at all, and why."""


class Head(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="statement"):
    """The first object of a statement."""

    format: str
    alliance: str
    cycle: int
    cycle_id: str
    merchant: str
    opens_at: str
    closes_at: str
    issued_at: str
    currency: str
    parties: dict[str, str]
    openings: dict[str, str]


class Amount(msgspec.Struct, forbid_unknown_fields=True):
    """Money."""

    amount: str
    currency: str


class Line(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="line"):
    """An object for what came to be owed."""

    reference: str
    seq: int
    kind: str
    debtor: str
    creditor: str
    member: str
    currency: str
    points: int
    price: str | None
    amount: Amount
    agreement_version: int
    occurred_at: str
    booked_at: str
    late: bool
    reverses: str | None
    order_ref: str | None
    store: str | None


class Adjustment(Line, forbid_unknown_fields=True, rename="camel", tag="adjustment"):
    """An object for what reverses an older line."""


class Ending(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="balance"):
    """An object for the account with a partner."""

    partner: str
    opening: str
    lines: str
    adjustments: str
    closing: str
    net: str
    carried: str
    count: int


class Trailer(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="trailer"):
    """The last object."""

    count: int
    sum: str
    opening: str
    closing: str
    position: str
    first: str | None
    last: str | None


_DECODER = msgspec.json.Decoder(Head | Line | Adjustment | Ending | Trailer)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: in which line of the file (0: with all of it), the line's key if it has one, what."""

    line: int
    key: str | None
    what: str


@dataclass(slots=True)
class Report:
    """What came of it. `unproved` lines were sealed before lines could be proved alone: they are only signed."""

    lines: int = 0
    unproved: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    signed: Signed | None = None
    key: PublicKey | None = None
    told: bool = False
    checkpoint: Checkpoint | None = None

    def add(self, line: int, key: str | None, what: str) -> None:
        """Something is wrong."""
        self.found += 1
        if len(self.findings) < MOST:
            self.findings.append(Finding(line, key, what))

    def to_json(self) -> dict[str, Any]:
        """The answer of `tessera statement verify --json`."""
        signed, checkpoint = self.signed, self.checkpoint
        return {
            "proved": not self.found and not self.unproved,
            "lines": self.lines,
            "unproved": self.unproved,
            "found": self.found,
            "findings": [{"line": one.line, "key": one.key, "what": one.what} for one in self.findings],
            "merchant": signed and signed.merchant,
            "cycle": signed and signed.cycle,
            "sum": signed and {"amount": signed.sum, "currency": signed.currency},
            "key": self.key and str(self.key),
            "keyFromFile": self.told,
            "checkpoint": checkpoint and {"origin": checkpoint.origin, "size": checkpoint.size},
        }


def check(
    statement: Iterable[bytes],
    signature: str,
    proofs: Iterator[bytes],
    keys: Sequence[PublicKey] = (),
    checkpoint: str | None = None,
) -> Report:
    """Check a statement of JSON Lines, line by line. `keys` are trusted (none: those in the proofs); `checkpoint` is
    a note of one's own, to which the proofs must lead. Raises NoStatement.
    """
    report = Report(told=not keys)
    log, trusted = _log(next(proofs, b""), keys)
    try:
        report.signed, report.key = read_signed(signature, trusted)
    except BadNote as error:
        report.add(0, None, str(error))
    report.checkpoint = _checkpoint(report, log, trusted, checkpoint)
    hashed = sha256()
    reading = _Reading(report, _openings(report, proofs))
    for content in statement:
        hashed.update(content)
        reading.take(content)
    reading.finish()
    if report.signed is not None and report.signed.hashes["jsonl"] != hashed.hexdigest():
        report.add(0, None, "the file is not the one that was signed")
    return report


def check_signature(content: Iterable[bytes], kind: str, signature: str, keys: Sequence[PublicKey]) -> Report:
    """Check only that a file of this kind is the one that was signed."""
    report = Report()
    hashed = sha256()
    for part in content:
        hashed.update(part)
    try:
        report.signed, report.key = read_signed(signature, keys)
    except BadNote as error:
        report.add(0, None, str(error))
        return report
    report.lines = report.signed.lines
    if report.signed.hashes[kind] != hashed.hexdigest():
        report.add(0, None, "the file is not the one that was signed")
    return report


def _log(content: bytes, keys: Sequence[PublicKey]) -> tuple[str, list[PublicKey]]:
    """The checkpoint that the proofs name, and the keys to trust. Raises NoStatement."""
    try:
        said = orjson.loads(content)
        told = [PublicKey.parse(line) for line in said["keys"]]
        if said.keys() != {"format", "checkpoint", "keys", "stretch"} or said["format"] != PROOFS:
            raise NoStatement(f"the proofs are no {PROOFS}")
        note: str = said["checkpoint"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoStatement(f"the proofs cannot be read: {error}") from None
    return note, list(keys) or told


def _checkpoint(report: Report, note: str, keys: Sequence[PublicKey], own: str | None) -> Checkpoint | None:
    try:
        checkpoint, _ = read_checkpoint(note, keys)
        if own is not None and read_checkpoint(own, keys)[0] != checkpoint:
            report.add(0, None, "the proofs lead to another checkpoint than yours: ask for them by its size")
    except (BadNote, AttributeError) as error:
        report.add(0, None, f"the checkpoint: {error}")
        return None
    return checkpoint


def _openings(report: Report, proofs: Iterable[bytes]) -> Iterator[Opening | None]:
    """What opens each line, in order; a stretch whose leaves are not in the log of the checkpoint is named."""
    first = 2
    for content in proofs:
        try:
            said = orjson.loads(content)
            nodes = nodes_of(said["nodes"])
            openings = [None if row is None else from_row(row) for row in said["lines"]]
            if said.keys() != {"lines", "nodes"} or not content.endswith(b"\n"):
                raise BadOpening("there is more than there should be")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            report.add(first, None, f"the proofs from here on cannot be read: {error}")
            return
        _in_log(report, first, openings, nodes)
        yield from openings
        first += len(openings)


def _in_log(report: Report, first: int, openings: Sequence[Opening | None], nodes: Sequence[bytes]) -> None:
    leaves: dict[int, bytes] = {}
    agree = True
    for opening in openings:
        if opening is not None:
            agree = agree and leaves.setdefault(opening.index, opening.leaf) == opening.leaf
    checkpoint = report.checkpoint
    if checkpoint is None or (not leaves and not nodes):
        return
    if not agree or root_of_many(leaves, checkpoint.size, nodes) != checkpoint.root:
        where = f"lines {first} to {first + len(openings) - 1}"
        report.add(first, None, f"leaves of {where} are not in the log of the checkpoint")


class _Reading:
    """Where in the file it is, and what the lines come to so far."""

    def __init__(self, report: Report, openings: Iterator[Opening | None]) -> None:
        self._report = report
        self._openings = openings
        self._head: Head | None = None
        self._totals = Totals("", {})
        self._ended: set[str] = set()
        self._trailer = False
        self._opened: set[tuple[int, int]] = set()
        self._at = 0

    def take(self, content: bytes) -> None:
        """The next line of the file. Raises NoStatement if it is none at all."""
        self._at += 1
        try:
            said = _DECODER.decode(content)
        except (msgspec.DecodeError, RecursionError) as error:
            if self._head is None:
                raise NoStatement(f"this is no statement: {error}") from None
            self._report.add(self._at, None, f"this is no line of a statement: {error}")
            return
        if self._head is None:
            self._begin(said)
        elif isinstance(said, Head) or self._trailer:
            self._report.add(self._at, None, "this does not belong here")
        elif isinstance(said, Line):
            self._line(self._head, said)
        elif isinstance(said, Ending):
            self._balance(self._head, said)
        else:
            self._end(self._head, said)
        if not content.endswith(b"\n"):
            self._report.add(self._at, None, "the line is cut off")

    def finish(self) -> None:
        """Nothing more comes."""
        if not self._trailer:
            self._report.add(0, None, "the file has no trailer: it is not whole")
        if next(self._openings, self) is not self:
            self._report.add(0, None, "there are proofs of more lines")

    def _begin(self, said: object) -> None:
        if not isinstance(said, Head) or said.format != FORMAT:
            raise NoStatement(f"this is no {FORMAT}")
        try:
            exponent(said.currency)
        except InvalidInput as error:
            raise NoStatement(error.message()) from None
        self._head = said
        self._totals.viewer = said.merchant
        signed = self._report.signed
        if signed is not None and (signed.alliance, signed.cycle, signed.merchant, signed.currency) != (
            said.alliance,
            said.cycle,
            said.merchant,
            said.currency,
        ):
            self._report.add(1, None, "another statement was signed")
        for code, opening in said.openings.items():
            self._totals.partners[code] = Balance(opening=self._scaled(opening, 6) or 0)

    def _line(self, head: Head, line: Line) -> None:
        report, at, key = self._report, self._at, f"{line.reference}-{line.seq}"
        report.lines += 1
        amount, points_price = self._scaled(line.amount.amount, 6), self._scaled(line.price, 8)
        if head.merchant not in (line.debtor, line.creditor) or line.debtor == line.creditor:
            report.add(at, key, "this line is not between this merchant and a partner")
        if not {line.debtor, line.creditor} <= head.parties.keys() or line.amount.currency != head.currency:
            report.add(at, key, "a party or a currency is unknown")
        if isinstance(line, Adjustment) == (line.reverses is None):
            report.add(at, key, "an adjustment names what it reverses, and nothing else does")
        if amount is not None and points_price is not None and amount * 100 != line.points * points_price:
            report.add(at, key, f"{line.points} points at {line.price} are not {line.amount.amount}")
        if self._ended:
            report.add(at, key, "a line comes after the balances")
        self._prove(head, line, amount or 0, points_price, key)
        adjustment = isinstance(line, Adjustment)
        self._totals.add(line.debtor, line.creditor, amount or 0, key, adjustment=adjustment)

    def _prove(self, head: Head, line: Line, amount: int, points_price: int | None, key: str) -> None:
        """The line against its leaf."""
        opening = next(self._openings, self)
        if isinstance(opening, _Reading):
            self._report.add(self._at, key, "there is no proof of this line")
            return
        if opening is None:
            self._report.unproved += 1
            return
        place = (opening.index, len(opening.before))
        if place in self._opened:
            self._report.add(self._at, key, "this line is in the statement twice")
        self._opened.add(place)
        row = {
            "agreement_version": line.agreement_version,
            "amount": amount,
            "booked_at": line.booked_at,
            "creditor_id": head.parties.get(line.creditor),
            "currency": line.currency,
            "cycle_id": head.cycle_id,
            "debtor_id": head.parties.get(line.debtor),
            "kind": line.kind,
            "late": line.late,
            "occurred_at": line.occurred_at,
            "points": line.points,
            "price": points_price,
            "reverses": line.reverses,
            "order_ref": line.order_ref,
            "store": line.store,
        }
        if opening.hashes_to(row) != opening.leaf:
            self._report.add(self._at, key, "this line is not what the log has at its place")

    def _balance(self, head: Head, said: Ending) -> None:
        balance = self._totals.partners.get(said.partner, Balance())
        self._ended.add(said.partner)
        for name, value in balance.told(head.currency).items():
            if getattr(said, name) != value:
                what = f"{name} of {said.partner} is {getattr(said, name)}, and comes to {value}"
                self._report.add(self._at, None, what)

    def _end(self, head: Head, said: Trailer) -> None:
        self._trailer = True
        if missing := self._totals.partners.keys() - self._ended:
            self._report.add(self._at, None, f"there is no balance of {', '.join(sorted(missing))}")
        for name, value in self._totals.trailer(head.currency).items():
            if getattr(said, name) != value:
                self._report.add(self._at, None, f"{name} is {getattr(said, name)}, and comes to {value}")
        signed = self._report.signed
        if signed is not None and (signed.lines, signed.sum) != (said.count, said.sum):
            self._report.add(self._at, None, f"signed were {signed.lines} lines that come to {signed.sum}")

    def _scaled(self, text: str | None, places: int) -> int | None:
        """A decimal string, written as statements write it, in 10^-places."""
        if text is None:
            return None
        try:
            value = scaled(text, places)
        except InvalidInput as error:
            self._report.add(self._at, None, error.message())
            return None
        if text != (micro if places == 6 else price)(value):
            self._report.add(self._at, None, f"{text!r} is not written as it should be")
        return value
