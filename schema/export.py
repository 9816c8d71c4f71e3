"""The contract as a file: schema/schema.graphql, compared with the code by a test."""

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


if __name__ == "__main__":
    export()
