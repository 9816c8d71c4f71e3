"""Figures of a position. Pure; in millionths of the settlement currency."""


def headroom(cap: int, used: int) -> int:
    """What is left of a cap; zero past it. Who is owed more than it owes has more than its cap."""
    return max(0, cap - used)


def percent(cap: int, used: int) -> int:
    """How much of a cap is used, in whole per cent, rounded down; 100 where there is no cap to speak of and it is used.

    Who is owed more than it owes uses nothing.
    """
    if used <= 0:
        return 0
    return used * 100 // cap if cap else 100
