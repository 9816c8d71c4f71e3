"""The shape of what an alliance file says of time: its calendar and its cycles."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WrapValidator
from pydantic_core import ValidationError

from alliance.calendar import is_known
from alliance.file.invoicing import Interest
from alliance.file.values import BusinessDays, Day, Days, DecimalText, Document, Region, refusal, shaped


def _known(region: str) -> str:
    if not is_known(region):
        raise refusal(f"the public holidays of {region} are not known")
    return region


CalendarRegion = Annotated[Region, AfterValidator(_known)]
CalendarDays = Annotated[list[Day], Field(max_length=1000)]


def _every(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise refusal("a cycle is a day, week, half_month or month, or {business: 5} for business days") from None


class CycleDays(BusinessDays):
    """How many business days a cycle lasts."""

    business: Annotated[int, Field(ge=1, le=60)]


class Cycle(Document):
    """When the alliance settles, and its deadlines."""

    every: Annotated[Literal["day", "week", "half_month", "month"] | CycleDays, WrapValidator(_every)] = "week"
    cut_off: Annotated[
        str, shaped(r"([01]\d|2[0-3]):(00|15|30|45)", 'a quarter of an hour of the day, such as "18:00"')
    ] = "00:00"
    objection_days: Days = BusinessDays(business=3)
    payment_days: Days = BusinessDays(business=5)
    grace_days: Days = BusinessDays(business=1)
    claim_days: Days = 180
    answer_days: Days = BusinessDays(business=10)
    round_days: Days = BusinessDays(business=10)
    decision_days: Days = BusinessDays(business=20)
    min_payment: DecimalText = "0"
    interest: Interest | None = None
