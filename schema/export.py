"""The contract as a file, schema/schema.graphql: `python -m schema.export` writes it, `--check` only compares."""

import sys
from pathlib import Path

from schema.build import build_schema

FILE = Path(__file__).with_name("schema.graphql")


def sdl() -> str:
    """The schema in GraphQL's definition language."""
    return build_schema().as_str() + "\n"


def export(path: Path = FILE) -> Path:
    """Write the contract, and say where."""
    path.write_text(sdl(), encoding="utf-8")
    return path


def is_current(path: Path = FILE) -> bool:
    """Whether the file says what the code says."""
    return path.exists() and path.read_text(encoding="utf-8") == sdl()


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if is_current() else "schema/schema.graphql is stale: run python -m schema.export")
    export()
