"""From text to a checked alliance file, with every fault found and placed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from alliance.file.model import Alliance, AllianceDocument, Sections
from alliance.file.rules import UNKNOWN_MONEY, Fault, check_document, suggestion
from alliance.file.source import Items, Path, Source, dotted
from alliance.file.timing import Cycle


@dataclass(slots=True)
class Reading:
    """What validation leaves behind: the faults of items in lists, and the path of each item that is right."""

    faults: list[Fault] = field(default_factory=list)
    places: dict[int, Path] = field(default_factory=dict)

    def note(self, path: Path, error: ValidationError) -> None:
        """Keep the faults of the list item at `path`; their own paths begin with its index in a list of one."""
        self.faults += [_fault((*path, *loc[1:]), details) for loc, details in _details(error)]


@dataclass(frozen=True, slots=True)
class AllianceFile:
    """A file that is right in itself; whether it may be applied depends on what was applied before."""

    name: str
    document: AllianceDocument
    source: Source
    places: dict[int, Path]

    def line_of(self, part: BaseModel | None) -> int | None:
        """The line on which a part of the document begins."""
        path = self.places.get(id(part))
        return None if path is None else self.source.place(path)[0]


def parse(text: str, name: str) -> AllianceFile:
    """Read and check an alliance file; `name` is what errors call it.

    Raises FileErrors with all that is wrong: writing, structure, and what does not fit together.
    """
    source = Source(text, name)
    reading = Reading()
    document = _document(source.value, reading)
    reading.faults += check_document(document, source.value, reading.places)
    unreadable = {error.path for error in source.errors}
    for fault in reading.faults:
        if dotted(fault.path) not in unreadable:
            source.fault(fault.path, fault.reason, key=fault.at_key)
    source.check()
    return AllianceFile(name, document, source, reading.places)


def _document(value: Any, reading: Reading) -> AllianceDocument:
    """The document; if there are faults, of what is right, so that the rest can be checked together."""
    try:
        return AllianceDocument.model_validate(value, context=reading)
    except ValidationError as error:
        reading.faults += [_fault(loc, details) for loc, details in _details(error)]
    given = value if isinstance(value, dict) else {}
    lists = {key: given[key] for key in Sections.model_fields if isinstance(given.get(key), Items)}
    sections = Sections.model_validate(lists, context=reading)
    return AllianceDocument.model_construct(
        alliance=_header(given.get("alliance")),
        members=None,
        identifiers=sections.identifiers,
        merchants=sections.merchants,
        agreements=sections.agreements,
        feeds=sections.feeds,
    )


def _header(value: Any) -> Alliance:
    """The alliance itself; if it is not readable, one that nothing is checked against."""
    try:
        return Alliance.model_validate(value)
    except ValidationError:
        return Alliance.model_construct(settlementCurrency=UNKNOWN_MONEY, cycle=Cycle())


def _details(error: ValidationError) -> Iterable[tuple[Path, Any]]:
    for details in error.errors(include_url=False):
        yield details["loc"], details


def _fault(path: Path, details: Any) -> Fault:
    match details["type"]:
        case "extra_forbidden":
            return Fault(path, f"unknown key{suggestion(str(path[-1]), _keys(path[:-1]))}", at_key=True)
        case "missing":
            return Fault(path[:-1], f"{path[-1]} is missing")
        case "string_type" if isinstance(details["input"], int | float):
            return Fault(path, f'write it in quotes ("{details["input"]}"): it is text')
        case "model_type" | "dict_type" | "model_attributes_type":
            return Fault(path, "must be a mapping of keys to values")
        case "bool_type":
            return Fault(path, "write true or false")
        case "list_type":
            return Fault(path, "must be a list")
        case "date_type" | "is_instance_of":
            return Fault(path, "must be a date such as 2017-01-31, without quotes")
        case "string_pattern_mismatch":
            return Fault(path, f"{str(details['input'])[:40]!r} does not match {details['ctx']['pattern']}")
        case _:
            return Fault(path, details["msg"].removeprefix("Input "))


def _keys(path: Path) -> list[str]:
    """The keys that the mapping at `path` may have."""
    part: type[BaseModel] = AllianceDocument
    for step in path:
        if isinstance(step, str):
            fields = {field.alias or name: field for name, field in part.model_fields.items()}
            part = _part(fields[step].annotation) or part
    return [field.alias or name for name, field in part.model_fields.items()]


def _part(annotation: Any) -> type[BaseModel] | None:
    """The part of the document that a field holds, in a list or by itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for part in map(_part, get_args(annotation)) if part is not None), None)
