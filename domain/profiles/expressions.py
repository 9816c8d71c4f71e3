"""Conditions in CEL, the Common Expression Language: typed, without side effects, and bounded in time.

They are compiled, checked and run by Google's own implementation (cel-cpp, through `cel-expr-python`): names and types
are checked beforehand, loops are over lists that are there, and all loops of one run share a budget of iterations.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cel_expr_python import cel

Kind = Literal["integer", "double", "text", "boolean", "time", "texts"]

MAX_EXPRESSION = 1000

_TYPES: Mapping[Kind, Any] = {
    "integer": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "text": cel.Type.STRING,
    "boolean": cel.Type.BOOL,
    "time": cel.Type.TIMESTAMP,
    "texts": cel.Type.List(cel.Type.STRING),
}
_WHERE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN = re.compile(r'No value with name "([^"]+)" found')
_HAS = re.compile(r"\bhas\s*\(")


class ExpressionError(Exception):
    """What is wrong with an expression: `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        self.line, self.column, self.reason = line, column, reason
        super().__init__(f"{line}:{column}: {reason}")


class Expression:
    """A condition over variables of these kinds. Raises ExpressionError for one that cannot be."""

    def __init__(self, source: str, variables: Mapping[str, Kind]) -> None:
        if (found := _HAS.search(source)) is not None:
            line = source.count("\n", 0, found.start()) + 1
            column = found.start() - source.rfind("\n", 0, found.start())
            raise ExpressionError(line, column, "has() is not there: write 'name' in known")
        environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in variables.items()})
        try:
            self._compiled = environment.compile(source)
        except RuntimeError as fault:
            raise _placed(str(fault)) from None
        kind = self._compiled.return_type().name()
        if kind != "BOOL":
            raise ExpressionError(1, 1, f"must be true or false, and is {kind}")

    def holds(self, values: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether it holds of these values, and what went wrong, if anything: then it does not hold."""
        try:
            found = self._compiled.eval(data=values)
            value = found.value()
        except RuntimeError as fault:
            return False, _plain(str(fault))
        return (value, None) if isinstance(value, bool) else (False, _plain(str(value)))


def _placed(message: str) -> ExpressionError:
    found = _WHERE.search(message)
    if found is None:
        return ExpressionError(1, 1, _plain(message))
    return ExpressionError(int(found[1]), int(found[2]), found[3].removesuffix(" (in container '')"))


def _plain(message: str) -> str:
    """The message of the library, on one line, without its status."""
    if (found := _UNKNOWN.search(message)) is not None:
        return f"{found[1]} is not known"
    return re.sub(r"^[A-Z_]+: |( \[[A-Z_]+\])$", "", message.splitlines()[0])


def errors_in(source: str, variables: Mapping[str, Kind]) -> Sequence[ExpressionError]:
    """What is wrong with an expression; nothing, for one that may be run."""
    try:
        Expression(source, variables)
    except ExpressionError as error:
        return [error]
    return []
