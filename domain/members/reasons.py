"""Why members stand as they do: codes."""

from enum import StrEnum


class FreezeReason(StrEnum):
    """Why a member is frozen, as a code; what else there is to say is a note."""

    FRAUD_SUSPECTED = "FRAUD_SUSPECTED"
    ACCOUNT_TAKEN_OVER = "ACCOUNT_TAKEN_OVER"
    IDENTITY_CHECK = "IDENTITY_CHECK"
    DISPUTE = "DISPUTE"
    DECEASED = "DECEASED"
    MEMBER_ASKED = "MEMBER_ASKED"
    OTHER = "OTHER"


class CloseReason(StrEnum):
    """Why a member leaves."""

    MEMBER_ASKED = "MEMBER_ASKED"
    DECEASED = "DECEASED"
    FRAUD = "FRAUD"
    INACTIVE = "INACTIVE"
    OTHER = "OTHER"
