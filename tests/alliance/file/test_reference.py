"""docs/alliance-file.md explains every key that a file may have, and no other."""

import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from alliance.file.model import AllianceDocument, Limit, Months
from alliance.file.timing import CycleDays
from alliance.file.values import BusinessDays, Money

REFERENCE = Path(__file__).parents[3] / "docs" / "alliance-file.md"
EXPLAINED_AS_VALUES = (Money, BusinessDays, CycleDays, Limit, Months)


def part_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The part of the document in an annotation, and whether it is in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (None if annotation in EXPLAINED_AS_VALUES else annotation), False
    for inner in get_args(annotation):
        part, many = part_of(inner)
        if part is not None:
            return part, many or get_origin(annotation) is list
    return None, False


def keys_of(part: type[BaseModel], path: str) -> dict[str, set[str]]:
    """The keys at each path of the document."""
    keys: dict[str, set[str]] = {path: set()}
    for name, field in part.model_fields.items():
        key = field.alias or name
        keys[path].add(key)
        inner, many = part_of(field.annotation)
        if inner is not None:
            keys |= keys_of(inner, f"{path}.{key}".removeprefix(".") + ("[]" if many else ""))
    return keys


def documented() -> dict[str, set[str]]:
    """The keys in the tables of the reference, by the path in the heading above."""
    tables: dict[str, set[str]] = {}
    for section in REFERENCE.read_text().split("\n### ")[1:]:
        heading, _, body = section.partition("\n")
        path = "" if heading == "The file" else heading.strip("`")
        tables[path] = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
    return tables


ACCEPTED = keys_of(AllianceDocument, "")
SAME_IN = {
    "currencies[].policies[]": "expiry forcedExit gifts liability limits notice pending redemption",
    "earning[]": "expiry pending",
    "benefits[]": "expiry",
}
SAME = {
    f"merchants[].{place}.{key}": f"merchants[].currencies[].{key}"
    for place, keys in SAME_IN.items()
    for key in keys.split()
} | {path: path.replace("merchants[].settings", "members") for path in ACCEPTED if ".settings.guard" in path}


@pytest.mark.parametrize("path", ACCEPTED)
def test_every_key_is_documented_and_no_other(path: str) -> None:
    assert documented()[SAME.get(path, path)] == ACCEPTED[path]


def test_no_part_is_documented_that_a_file_may_not_have() -> None:
    assert documented().keys() == ACCEPTED.keys() - SAME.keys()
