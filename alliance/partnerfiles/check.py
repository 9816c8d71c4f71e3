"""A sample of a file, looked at as it would be: by a partner that is only getting ready. Nothing is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alliance.partnerfiles.parsing import House, Line, Parser, Problem
from alliance.partnerfiles.reading import records
from alliance.partnerfiles.shape import Shape
from domain.errors import Refusal

SHOWN = 5
"""Lines that are shown as they were understood."""


@dataclass(slots=True)
class Checked:
    """What a file would be taken for. `columns` are by what they mean; sums are millionths."""

    shape: Shape
    lines: int = 0
    amount: int = 0
    written: int = 0
    skipped: int = 0
    first: str | None = None
    last: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    trailer: Mapping[str, Any] | None = None
    problems: int = 0
    kept: list[Problem] = field(default_factory=list)
    shown: list[Line] = field(default_factory=list)
    refusal: Refusal | None = None


def check(path: Path, shape: Shape, house: House, progress: Callable[[int], None] = lambda _: None) -> Checked:
    """Read a whole file. What it would be refused for is in the answer."""
    parser, made = Parser(shape, house), Checked(shape)
    try:
        for line in parser.lines(records(path, shape, progress)):
            if len(made.shown) < SHOWN:
                made.shown.append(line)
        parser.close()
    except Refusal as refusal:
        made.refusal = refusal
    tally = parser.tally
    made.lines, made.amount, made.written, made.skipped = tally.lines, tally.amount, tally.written, tally.skipped
    made.first, made.last, made.columns, made.trailer = tally.first, tally.last, tally.taken, tally.trailer
    made.problems, made.kept = tally.problems, tally.kept
    return made
