"""Lines of a feed that name their member by the code they showed."""

from datetime import datetime, timedelta

from msgspec import UNSET

from alliance.intake.model import Decision, Purchase, Return, RightGrantLine, TopUpLine
from alliance.runtime import Runtime
from domain.codes.commands import Presenting
from domain.errors import InvalidInput
from domain.programs.catalogue import Merchant

Naming = Purchase | TopUpLine | Return | Decision | RightGrantLine
"""Lines that name a member."""


def shown_by(
    runtime: Runtime,
    merchant: Merchant,
    line: Purchase | TopUpLine | Return | Decision | RightGrantLine,
    as_of: datetime,
) -> Presenting:
    """The code of a line: good now, or when the line says that it was shown, by a till that was offline.

    Raises InvalidInput for what is no code.
    """
    assert line.member.token is not UNSET
    if runtime.codes is None:
        raise InvalidInput(reason="codes are not read here", path=("member", "token"))
    try:
        shown = runtime.codes.read(line.member.token)
    except InvalidInput as refusal:
        raise refusal.at("member") from None
    late = timedelta(hours=merchant.offline_codes)
    return Presenting(shown, as_of, shown_at=line.occurredAt, offline=late)
