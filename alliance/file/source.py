"""YAML text as plain values that know their place in it."""

import re
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from alliance.file.errors import FileError, FileErrors

Path = tuple[str | int, ...]

TAG = "tag:yaml.org,2002:"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_DIGITS = 18


class Items(list[Any]):
    """A sequence that knows its path in the file."""

    path: Path = ()


class Source:
    """A file's values, the place of each, and what is wrong with the writing itself.

    Raises FileErrors at once if the text is no YAML document; other faults are collected in `errors`.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.errors: list[FileError] = []
        self._values: dict[Path, tuple[int, int]] = {}
        self._keys: dict[Path, tuple[int, int]] = {}
        self._seen: set[int] = set()
        self.value = self._value(_compose(text, name), ())

    def fault(self, path: Path, reason: str, *, key: bool = False) -> None:
        """Note what is wrong at `path` (at its key rather than its value, where `key`)."""
        place = (self._keys if key else self._values).get(path)
        line, column = place or self.place(path)
        self.errors.append(FileError(line, column, dotted(path), reason))

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of what is at `path`, or of the nearest thing round it."""
        while path not in self._values and path:
            path = path[:-1]
        return self._values.get(path, (1, 1))

    def check(self) -> None:
        """Raise FileErrors if any fault was noted."""
        if self.errors:
            raise FileErrors(self.name, self.errors)

    def _value(self, node: Node, path: Path) -> Any:
        if id(node) in self._seen:
            self.fault(path, "aliases (*) are not supported: write it out", key=True)
            return None
        self._values[path] = _place(node)
        self._seen.add(id(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            items = Items(self._value(item, (*path, i)) for i, item in enumerate(node.value))
            items.path = path
            return items
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.errors.append(FileError(*_place(key), dotted(path), "a key must be a plain word"))
                continue
            inner = (*path, key.value)
            if key.value in values:
                reason = f"given twice (first on line {self._keys[inner][0]})"
                self.errors.append(FileError(*_place(key), dotted(inner), reason))
                continue
            self._keys[inner] = _place(key)
            values[key.value] = self._value(value, inner)
        return values

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        match str(node.tag).removeprefix(TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool" if text in ("true", "false"):
                return text == "true"
            case "bool":
                self.fault(path, "write true or false")
            case "int" if len(text) <= MAX_DIGITS and text.lstrip("+-").isdecimal():
                return int(text)
            case "int":
                self.fault(path, "a whole number is written in plain digits, at most 18")
            case "float":
                self.fault(path, f'write it in quotes ("{text}"): numbers with a point are exact here')
            case "timestamp" if DATE.fullmatch(text):
                return _date(text)
            case "timestamp":
                pass
            case _:
                self.fault(path, "tags (!) are not supported")
        return text


def dotted(path: Path) -> str:
    """A path as people write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _compose(text: str, name: str) -> Node:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as fault:
        mark = fault.problem_mark
        reason = f"not YAML: {fault.problem}"
        raise FileErrors(name, [FileError(mark.line + 1, mark.column + 1, "", reason)]) from None
    except YAMLError as fault:
        before = text[: getattr(fault, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise FileErrors(name, [FileError(line, column, "", "a character that YAML does not allow")]) from None
    except RecursionError:
        raise FileErrors(name, [FileError(1, 1, "", "nested too deeply")]) from None
    if node is None:
        raise FileErrors(name, [FileError(1, 1, "", "the file is empty")])
    return node
