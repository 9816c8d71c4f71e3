"""What is wrong with an alliance file: where and why."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class FileError:
    """One fault. `line` and `column` count from 1; `path` is dotted, such as `merchants[0].earning[1].per.amount`."""

    line: int
    column: int
    path: str
    reason: str


class FileErrors(Exception):
    """All faults of one file, in the order of the file. As text: a line for each, with file, line, column, path."""

    def __init__(self, name: str, errors: list[FileError]) -> None:
        self.name = name
        self.errors = sorted(set(errors))
        super().__init__(name, errors)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.name}:{error.line}:{error.column}: {error.path}{': ' if error.path else ''}{error.reason}"
            for error in self.errors
        )

    def to_json(self) -> list[dict[str, Any]]:
        """The faults as data."""
        return [asdict(error) for error in self.errors]
