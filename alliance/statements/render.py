"""Statements as files. The same statement is the same bytes, whenever it is written."""

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from alliance.statements.model import Head
from alliance.statements.rules import FORMAT, Balance, Line, Totals, key_of, micro
from alliance.statements.spreadsheet import rows, shown

COLUMNS = (
    *("type", "partner", "reference", "seq", "kind", "debtor", "creditor", "member", "currency", "points", "price"),
    *("amount", "amountCurrency", "change", "agreementVersion", "occurredAt", "bookedAt", "late", "reverses"),
    *("orderRef", "store"),
)


class Writer(Protocol):
    """Writes one file: its beginning, stretches of lines, its end."""

    totals: Totals

    def begin(self) -> bytes:
        """What comes before the lines."""

    def lines(self, lines: Sequence[tuple[Line, int]]) -> bytes:
        """Some lines, each with its amount in millionths."""

    def end(self) -> bytes:
        """What comes after them."""


def totals_of(head: Head) -> Totals:
    """Nothing but the opening balances."""
    return Totals(
        head.merchant,
        {
            head.codes[partner]: Balance(opening=amount)
            for partner, amount in sorted(head.openings.items(), key=lambda item: head.codes[item[0]])
        },
    )


class JsonLines:
    """A JSON object a line: what it is, the lines, a balance a partner, and what all of it comes to."""

    def __init__(self, head: Head) -> None:
        self.totals = totals_of(head)
        self._head = head

    def begin(self) -> bytes:
        """Whose statement of what; merchants by code and id."""
        head = self._head
        parties = {head.merchant_id, head.alliance_id, *head.openings}
        return _json(
            {
                "type": "statement",
                "format": FORMAT,
                "alliance": head.alliance,
                "cycle": head.cycle,
                "cycleId": str(head.cycle_id),
                "merchant": head.merchant,
                "opensAt": head.opens_at.isoformat(),
                "closesAt": head.closes_at.isoformat(),
                "issuedAt": head.issued_at.isoformat(),
                "currency": head.currency,
                "parties": {head.codes[id_]: str(id_) for id_ in sorted(parties)},
                "openings": {code: micro(balance.opening) for code, balance in self.totals.partners.items()},
            }
        )

    def lines(self, lines: Sequence[tuple[Line, int]]) -> bytes:
        """One object a line."""
        count(self.totals, lines)
        return b"".join([orjson.dumps(line) + b"\n" for line, _ in lines])

    def end(self) -> bytes:
        """Balances in the order of the partners' codes, and the trailer."""
        currency = self._head.currency
        balances = [
            _json({"type": "balance", "partner": partner} | balance.told(currency))
            for partner, balance in sorted(self.totals.partners.items())
        ]
        return b"".join([*balances, _json({"type": "trailer"} | self.totals.trailer(currency))])


class Csv:
    """For spreadsheets: `change` is signed, what is to be received above zero. A partner's opening, lines and
    adjustments add up to its closing, which is what is settled (`net`) and what rounding leaves (`carried`)."""

    def __init__(self, head: Head) -> None:
        self.totals = totals_of(head)
        self._head = head

    def begin(self) -> bytes:
        """The names of the columns, and the opening balances."""
        openings = [
            self._balance("opening", partner, micro(balance.opening))
            for partner, balance in self.totals.partners.items()
        ]
        return rows([COLUMNS, *openings]).encode()

    def lines(self, lines: Sequence[tuple[Line, int]]) -> bytes:
        """One row a line."""
        count(self.totals, lines)
        return rows(self._row(line, amount) for line, amount in lines).encode()

    def _row(self, line: Line, amount: int) -> list[Any]:
        owing = line["debtor"] == self._head.merchant
        own = {
            "partner": line["creditor"] if owing else line["debtor"],
            "amount": line["amount"]["amount"],
            "amountCurrency": line["amount"]["currency"],
            "change": micro(-amount if owing else amount),
            "late": "true" if line["late"] else "false",
            "orderRef": shown(line["orderRef"]),
            "store": shown(line["store"]),
        }
        return [own[column] if column in own else line[column] for column in COLUMNS]

    def end(self) -> bytes:
        """What each partner's account comes to, in the order of their codes."""
        balances: list[list[Any]] = []
        for partner, balance in sorted(self.totals.partners.items()):
            told = balance.told(self._head.currency)
            balances += [self._balance(name, partner, told[name]) for name in ("closing", "net", "carried")]
        return rows(balances).encode()

    def _balance(self, name: str, partner: str, change: str) -> list[Any]:
        own = {"type": name, "partner": partner, "change": change, "amountCurrency": self._head.currency}
        return [own.get(column) for column in COLUMNS]


WRITERS: dict[str, type[JsonLines] | type[Csv]] = {"jsonl": JsonLines, "csv": Csv}


def count(totals: Totals, lines: Sequence[tuple[Line, int]]) -> None:
    """Add lines to what they come to."""
    for line, amount in lines:
        totals.add(line["debtor"], line["creditor"], amount, key_of(line), adjustment=line["type"] == "adjustment")


def _json(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value) + b"\n"
