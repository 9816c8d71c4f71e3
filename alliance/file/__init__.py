"""The alliance file: everything that a programme is, in one YAML file. `parse`, `plan`, `apply`, `export`."""

from alliance.file.changes import Change, Plan
from alliance.file.commands import apply
from alliance.file.errors import FileError, FileErrors
from alliance.file.queries import export, plan
from alliance.file.reading import AllianceFile, parse

__all__ = ["AllianceFile", "Change", "FileError", "FileErrors", "Plan", "apply", "export", "parse", "plan"]
