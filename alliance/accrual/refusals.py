"""Refusals as they were kept with runs and their rows, of whichever room."""

from typing import Any

# What is read back is found by its name: each room whose refusals a file can meet has to be there.
import alliance.accrual.errors
import alliance.intake.commands
import alliance.opening.errors  # noqa: F401
from domain.errors import Refusal


def refusal_of(kept: dict[str, Any]) -> Refusal:
    """The refusal that was kept."""
    return Refusal.from_json(kept)
