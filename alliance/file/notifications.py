"""How a merchant writes to its members: the section's shape, and what is wrong with its texts."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Document, Name, distinct, each, refusal, shaped
from domain.messages.model import MessageKind
from domain.messages.texts import PARTS, faults

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument

Kind = Literal[
    "points_earned",
    "points_activated",
    "points_expiring",
    "points_sold",
    "tier_changed",
    "exchange_done",
    "gift_received",
    "account_changed",
    "account_guarded",
]
Language = Annotated[
    str, shaped(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language tag (BCP 47), such as en or zh-CN"), Field(max_length=35)
]
Clock = Annotated[str, shaped(r"([01]\d|2[0-3]):[0-5]\d", 'a time of day, such as "21:00"')]


class QuietHours(Document):
    """From when to when nothing is sent."""

    from_: Clock = Field(alias="from")
    to: Clock
    zone: Literal["member", "merchant"] = "member"

    @model_validator(mode="after")
    def _fits(self) -> "QuietHours":
        if self.from_ == self.to:
            raise refusal("quiet hours that end when they begin are none")
        return self


class MessageTemplate(Document):
    """A merchant's own text of a kind, in a language."""

    kind: Kind
    language: Language
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    sms: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "MessageTemplate":
        if (self.subject is None) != (self.text is None):
            raise refusal("an e-mail has a subject and a text")
        if self.html is not None and self.text is None:
            raise refusal("an e-mail with html has a text too, for who reads no html")
        if self.text is None and self.sms is None:
            raise refusal("a template has subject and text, or sms, or both")
        return self


class Notifications(Document):
    """By what, when and in which words members are written to."""

    channels: Annotated[list[Literal["email", "sms"]], Field(min_length=1), AfterValidator(distinct)]
    kinds: Annotated[list[Kind], AfterValidator(distinct)] = [
        "points_activated",
        "points_expiring",
        "points_sold",
        "tier_changed",
        "exchange_done",
        "gift_received",
        "account_changed",
        "account_guarded",
    ]
    marketing: Annotated[list[Kind], AfterValidator(distinct)] = []
    language: Language = "en"
    sender: Name | None = None
    quiet_hours: QuietHours | None = None
    templates: Annotated[list[MessageTemplate], each] = []


def unfit_texts(document: "AllianceDocument", places: Mapping[int, Path]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the texts of merchants; each kind and language has one."""
    for merchant in document.merchants:
        seen: set[tuple[str, str]] = set()
        for item in merchant.notifications.templates if merchant.notifications else ():
            path = places[id(item)]
            if (item.kind, item.language) in seen:
                yield (*path, "language"), f"{item.kind} has a text in {item.language} already"
            seen.add((item.kind, item.language))
            for part in (part for parts in PARTS.values() for part in parts):
                source = getattr(item, part)
                if source is not None:
                    for reason in faults(MessageKind(item.kind.upper()), part, source):
                        yield (*path, part), reason
