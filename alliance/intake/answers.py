"""What a line is answered that came to several postings."""

from collections.abc import Sequence
from dataclasses import replace

from domain.errors import Refusal
from domain.ledger.errors import AlreadyReversed
from domain.ledger.request import Outcome, Posted


def combined(outcomes: Sequence[Outcome]) -> tuple[Outcome, Refusal | None]:
    """The answer to a return: all that was posted for it as one, or why nothing was; and why a part was refused.

    Its points are what was taken back, negative; `restored` is what was put back. Those of a confirmed order are what
    became active. What was reversed before is no refusal, unless all was.
    """
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    refused = next((one for one in refusals if not isinstance(one, AlreadyReversed)), None)
    if not posted:
        return refused or outcomes[0], None
    points = sum(one.points if one.kind == "ACTIVATE" else -one.data.get("taken", 0) for one in posted)
    restored = sum(one.data.get("restored", 0) for one in posted)
    data = posted[0].data | {
        "operations": [(one.holder_id, one.operation_id) for one in posted if one.operation_id],
        "restored": restored,
    }
    duplicate = all(outcome.duplicate for outcome in posted)
    return replace(posted[0], points=points, duplicate=duplicate, data=data), refused
