"""Reports as tables of texts: for the command line, spreadsheets and print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alliance.exposure.rules import percent
from alliance.reporting.queries import AtClose, Open, PairKind, Returned, Settled
from alliance.settlement.rules import minor_unit, saving
from alliance.statements.spreadsheet import rows, shown
from domain.money import MICRO, from_minor, unscaled
from domain.programs.catalogue import Catalogue

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A report: its name, what it is of, and rows that all have the same columns. Empty ones have none to show."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def csv(self) -> str:
        """As CSV, with a row of names; texts that a spreadsheet would take for a formula are shown as they are."""
        cells = ([_cell(row[name]) for name in self.columns] for row in self.rows)
        return rows([list(self.columns), *cells])


def _cell(value: object) -> object:
    """A number is none of the formulas that a text may be."""
    if not isinstance(value, str):
        return "" if value is None else value
    return value if value.removeprefix("-").replace(".", "", 1).isdigit() else shown(value)


class Tables:
    """Makes tables of an alliance's reports."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._currency = catalogue.alliance.settlement_currency

    def code(self, party: UUID | None) -> str | None:
        """A merchant's code; the alliance's for the operator."""
        if party is None:
            return None
        merchant = self._catalogue.merchants_by_id.get(party)
        return self._catalogue.alliance.code if merchant is None else merchant.code

    def money(self, micro: int) -> str:
        """Millionths as a decimal."""
        return unscaled(micro, len(str(MICRO)) - 1)

    def at_close(self, found: Sequence[AtClose], about: str) -> Table:
        """Positions as cycles were cut off, against the caps of today."""
        made = []
        for one in found:
            merchant = self._catalogue.merchants_by_id.get(one.merchant_id)
            cap = None if merchant is None else merchant.cap
            made.append(
                {
                    "cycle": one.cycle.number,
                    "closed": f"{one.cycle.closes_at:%Y-%m-%dT%H:%MZ}",
                    "merchant": self.code(one.merchant_id),
                    "owed": self.money(one.owed),
                    "cap": None if cap is None else self.money(cap),
                    "percent": None if cap is None else percent(cap, one.owed),
                    "alerts": one.alerts,
                    "highest": one.highest or None,
                }
            )
        columns = ("cycle", "closed", "merchant", "owed", "cap", "percent", "alerts", "highest")
        return Table("Exposure at cut-offs", about, columns, made)

    def ageing(self, found: Sequence[Open], about: str) -> Table:
        """What is open, by age."""
        made = [
            {
                "what": one.what,
                "merchant": self.code(one.merchant_id),
                "against": self.code(one.against_id),
                "days": f"{one.since} to {one.until}" if one.until is not None else f"from {one.since}",
                "count": one.count,
                "amount": self.money(one.amount),
            }
            for one in found
        ]
        return Table("Open items by age", about, ("what", "merchant", "against", "days", "count", "amount"), made)

    def history(self, found: Sequence[Settled], about: str) -> Table:
        """What netting made of cycles."""
        unit = minor_unit(self._currency)
        made = [
            {
                "cycle": one.cycle.number,
                "status": one.cycle.status,
                "closed": f"{one.cycle.closes_at:%Y-%m-%dT%H:%MZ}",
                "lines": one.report.obligations,
                "gross": self.money(one.report.gross),
                "bilateral": from_minor(one.report.bilateral, self._currency),
                "multilateral": from_minor(one.report.multilateral, self._currency),
                "payments": one.report.payments,
                "saving": str(saving(one.report.gross, one.report.multilateral * unit)),
                "days": one.days,
            }
            for one in found
        ]
        columns = ("cycle", "status", "closed", "lines", "gross", "bilateral", "multilateral", "payments", "saving")
        return Table("Settlement history", about, (*columns, "days"), made)

    def returned(self, found: Sequence[Returned], about: str) -> Table:
        """Lines that are back at zero, by pair and together."""
        made: list[Row] = [
            {
                "merchant": self.code(one.first_id),
                "partner": self.code(one.second_id),
                "lines": one.lines,
                "within": one.within,
                "share": str(one.share),
            }
            for one in found
        ]
        nobody = UUID(int=0)
        whole = Returned(nobody, nobody, sum(one.lines for one in found), sum(one.within for one in found))
        if len(found) != 1:
            together = {"lines": whole.lines, "within": whole.within, "share": str(whole.share)}
            made.append({"merchant": "all", "partner": None} | together)
        return Table(
            "Back at zero within 4 business days", about, ("merchant", "partner", "lines", "within", "share"), made
        )

    def by_kind(self, found: Sequence[PairKind], about: str) -> Table:
        """What was booked between pairs, by kind."""
        made = [
            {
                "debtor": self.code(one.debtor_id),
                "creditor": self.code(one.creditor_id),
                "kind": one.kind,
                "lines": one.lines,
                "amount": self.money(one.amount),
            }
            for one in found
        ]
        return Table("Obligations by pair and kind", about, ("debtor", "creditor", "kind", "lines", "amount"), made)
