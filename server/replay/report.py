"""What a replay came to: the books, summed, and their proof."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, text

from alliance.runtime import Runtime
from alliance.settlement import queries as settlement
from alliance.settlement.model import SettlementCycle
from alliance.verify import verify
from domain.money import from_minor, unscaled

_POINTS = text("""
    SELECT currency,
           sum(amount) FILTER (WHERE kind = 'EARN') AS earned,
           -sum(amount) FILTER (WHERE kind = 'REDEEM') AS spent,
           -sum(amount) FILTER (WHERE kind = 'EXCHANGE' AND amount < 0) AS exchanged_out,
           sum(amount) FILTER (WHERE kind = 'EXCHANGE' AND amount > 0) AS exchanged_in,
           -sum(amount) FILTER (WHERE kind = 'EXPIRE') AS expired,
           sum(amount) AS balance
    FROM entry JOIN operation ON operation.holder_id = entry.holder_id AND operation.id = entry.operation_id
    WHERE account = 'POINTS' GROUP BY currency
""")
COLUMNS = ("earned", "spent", "exchanged_out", "exchanged_in", "expired", "balance")
MICRO_PLACES = 6


@dataclass(slots=True)
class Fed:
    """What this run sent: baskets, purchases and their lines, in how many seconds; what the feed and members met."""

    baskets: int = 0
    purchases: int = 0
    lines: int = 0
    feeding: float = 0.0
    seconds: float = 0.0
    results: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a replay. Points are by currency; settlement sums are decimal strings of `money`, over all cycles."""

    source: str
    money: str
    fed: Fed
    points: Mapping[str, Mapping[str, int]]
    cycles: int
    gross: str
    bilateral: str
    multilateral: str
    unbalanced_cycles: list[int]
    members: int
    operations: int
    accounts: int
    differences: int

    @property
    def balanced(self) -> bool:
        """Whether the books prove themselves and every cycle's positions sum to zero."""
        return not self.differences and not self.unbalanced_cycles

    @property
    def rows_per_second(self) -> float:
        """Rows of the data (articles) a second, all that happens in between included."""
        return self.fed.lines / self.fed.seconds if self.fed.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        rates = {"rows_per_second": round(self.rows_per_second, 1), "balanced": self.balanced}
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told | rates

    def show(self, console: Console) -> None:
        """For people."""
        table = Table(
            "points", *(name.replace("_", " ") for name in COLUMNS), title=f"The year, by brand ({self.source})"
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for currency, sums in self.points.items():
            table.add_row(currency, *(f"{sums[name]:,}" for name in COLUMNS))
        console.print(table)
        fed = self.fed
        console.print(
            f"Settled      {self.cycles} cycles, in {self.money}: gross {Decimal(self.gross):,.2f}, "
            f"net of each pair {self.bilateral}, net of all {self.multilateral}"
        )
        if fed.purchases:
            console.print(
                f"Sent         {fed.baskets:,} baskets as {fed.purchases:,} purchases with {fed.lines:,} articles "
                f"in {fed.seconds:.0f} s: {self.rows_per_second:,.0f} rows/s, in the feed alone "
                f"{fed.purchases / max(fed.feeding, 0.001):,.0f} purchases/s"
            )
            console.print(f"Answers      {_listed(fed.results)}; members who wanted too much: {_listed(fed.refused)}")
        verdict = "they balance" if self.balanced else "THEY DO NOT BALANCE"
        console.print(
            f"The books    {self.members:,} members, {self.operations:,} operations, {self.accounts:,} accounts: "
            f"{verdict}"
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name.lower()}" for name, count in counts.most_common()) or "none"


async def outcome(runtime: Runtime, source: str, fed: Fed) -> Outcome:
    """Read the books and prove them."""
    money = runtime.catalogue.alliance.settlement_currency
    async with runtime.database.session() as session:
        rows = {row.currency: row for row in await session.execute(_POINTS)}
        proof = await verify(session)
        cycles = (await session.scalars(select(SettlementCycle).where(SettlementCycle.closes_at.is_not(None)))).all()
        reports = (await settlement.reports(session, cycles, money)).values()
        positions = await settlement.net_positions(session, cycles, money)
        members = await session.scalar(text("SELECT count(*) FROM member")) or 0
    return Outcome(
        source=source,
        money=money,
        fed=fed,
        points={code: {name: int(getattr(row, name) or 0) for name in COLUMNS} for code, row in sorted(rows.items())},
        cycles=len(cycles),
        gross=unscaled(sum(report.gross for report in reports), MICRO_PLACES),
        bilateral=from_minor(sum(report.bilateral for report in reports), money),
        multilateral=from_minor(sum(report.multilateral for report in reports), money),
        unbalanced_cycles=[
            cycle.number for cycle in cycles if sum(position.amount for position in positions[cycle.id])
        ],
        members=members,
        operations=proof.operations,
        accounts=proof.accounts,
        differences=len(proof.differences),
    )
