"""Why somebody is forgotten."""

from enum import StrEnum


class ErasureReason(StrEnum):
    """REQUESTED by the member; RETENTION: not needed any more; ORDERED by an authority; MISTAKE: should not be here."""

    REQUESTED = "REQUESTED"
    RETENTION = "RETENTION"
    ORDERED = "ORDERED"
    MISTAKE = "MISTAKE"
