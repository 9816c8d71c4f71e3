"""What a benchmark tells: measurements of one run, and ratios between them."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement. `rate` is a second; `client_us` is what the generator itself spent on a request, on the same
    two cores."""

    name: str
    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    connections: int | None = None
    client_us: float | None = None
    more: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Flat, rounded."""
        flat = {name: value for name, value in asdict(self).items() if name != "more"} | self.more
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in flat.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All measurements of a run, and their ratios, each named a_vs_b."""

    results: list[Result]
    ratios: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "results": [result.to_json() for result in self.results],
            "ratios": {name: round(ratio, 3) for name, ratio in self.ratios.items()},
        }

    def show(self, console: Console) -> None:
        """For people."""
        table = Table("what", "connections", "a second", "p50 ms", "p99 ms", "client's cost, us")
        for column in table.columns[1:]:
            column.justify = "right"
        for result in self.results:
            figures = (result.p50_ms, result.p99_ms, result.client_us)
            shown = ["" if value is None else f"{value:.1f}" for value in figures]
            table.add_row(result.name, str(result.connections or ""), f"{result.rate:,.0f}", *shown)
        console.print(table)
        for result in self.results:
            for name, value in result.more.items():
                console.print(f"{result.name}: {name.replace('_', ' ')} {value:,.1f}")
        for name, ratio in self.ratios.items():
            console.print(f"{name} {ratio:.2f}")


def middle(rounds: list[Result]) -> Result:
    """The medians of the same measurement, made several times."""
    first = rounds[0]

    def of(name: str) -> float | None:
        values = [value for one in rounds if (value := getattr(one, name)) is not None]
        return median(values) if values else None

    return Result(
        first.name,
        median(one.rate for one in rounds),
        of("p50_ms"),
        of("p99_ms"),
        first.connections,
        of("client_us"),
        {name: median(one.more[name] for one in rounds) for name in first.more},
    )


def ratio(rounds: dict[str, list[Result]], one: str, other: str) -> float:
    """The median of a ratio of rates: each round's own, since the machine changes from one round to the next."""
    return median(a.rate / b.rate for a, b in zip(rounds[one], rounds[other], strict=True))
