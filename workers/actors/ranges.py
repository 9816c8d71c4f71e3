"""Cutting what is over all holders into jobs, by ranges of holder_id: nobody waits for another range."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID


def ranges(firsts: Sequence[UUID], **named: Any) -> list[dict[str, Any]]:
    """The args of a job a range, with what is `named`: each from one of `firsts` to before the next, null for the last.

    `firsts` are in order.
    """
    ends = [*firsts[1:], None]
    return (
        [named | {"first": str(first), "before": end and str(end)} for first, end in zip(firsts, ends, strict=True)]
        if firsts
        else []
    )


def bounds(args: dict[str, Any]) -> tuple[UUID, UUID | None]:
    """The opposite: from whom, and before whom."""
    return UUID(args["first"]), UUID(args["before"]) if args["before"] else None
