"""Every advisory lock of the house is its own: two that are equal would wait for each other for ever."""

import re
from pathlib import Path

import migrations

LOCK = re.compile(r"^\w*LOCK\w* = (\(0x\w+, \d+\))", re.MULTILINE)


def test_no_two_locks_are_equal() -> None:
    root = Path(migrations.__file__).parent.parent
    folders = ("domain", "alliance", "workers", "server")
    found = [
        lock for folder in folders for file in (root / folder).rglob("*.py") for lock in LOCK.findall(file.read_text())
    ]
    assert len(found) >= 6
    assert len(set(found)) == len(found)
