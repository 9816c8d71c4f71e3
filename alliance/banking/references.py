"""The reference of a payment, which banks hand on from payer to payee: alliance, cycle, number of the payment."""

import re
from collections.abc import Iterator

PREFIX = 16
"""So that no reference is longer than the 35 characters that a bank hands on."""


def reference(code: str, cycle: int, number: int) -> str:
    """Of the payment `number` of a cycle of the alliance `code`: DEMO-C12-P3."""
    return f"{_prefix(code)}-C{cycle}-P{number}"


def _prefix(code: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", code.upper())[:PREFIX]


def found(code: str, text: str) -> Iterator[tuple[int, int]]:
    """Cycle and number of each payment that a text names, however it is spaced, dashed and in capitals or not."""
    prefix = r"[\W_]*".join(_prefix(code))
    for cycle, number in re.findall(
        rf"(?<![0-9A-Z]){prefix}[\W_]*C[\W_]*(\d{{1,9}})[\W_]*P[\W_]*(\d{{1,9}})", text.upper()
    ):
        yield int(cycle), int(number)
