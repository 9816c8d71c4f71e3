"""How a merchant writes to its members, as its alliance file declares it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Texts = Mapping[str, str]
"""The parts of a text, by name: subject, text, html, sms."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when to when nothing is sent, by the clock of the day: the member's where it is known and `by_member`.

    A time that the clocks skip is an hour later on them.
    """

    start: time
    end: time
    by_member: bool = True

    def release(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """When a message of that moment may be sent: then, or when the quiet hours end (UTC)."""
        local = moment.astimezone(zone)
        clock = local.time()
        overnight = self.start > self.end
        quiet = (clock >= self.start or clock < self.end) if overnight else self.start <= clock < self.end
        if not quiet:
            return moment
        day = local.date() + timedelta(days=overnight and clock >= self.start)
        ends = datetime.combine(day, self.end, zone).astimezone(UTC)
        if ends <= moment:  # the clocks went back meanwhile, and show this time once more
            ends = datetime.combine(day, self.end, zone).replace(fold=1).astimezone(UTC)
        return ends


@dataclass(frozen=True, slots=True)
class NotificationTerms:
    """By which channels a merchant writes, the first that reaches a member; of what kinds; and its own texts.

    `texts` are by kind and language. `marketing` are the kinds that are sent to those alone who consented to marketing.
    """

    channels: tuple[str, ...]
    kinds: frozenset[str]
    language: str = "en"
    sender: str | None = None
    quiet: QuietHours | None = None
    texts: Mapping[tuple[str, str], Texts] = field(default_factory=dict)
    marketing: frozenset[str] = frozenset()


def notification_terms(stored: Mapping[str, Any] | None) -> NotificationTerms | None:
    """From the alliance file's `notifications`."""
    if stored is None:
        return None
    quiet = stored.get("quietHours")
    return NotificationTerms(
        channels=tuple(channel.upper() for channel in stored["channels"]),
        kinds=frozenset(kind.upper() for kind in stored["kinds"]),
        language=stored["language"],
        sender=stored.get("sender"),
        quiet=None
        if quiet is None
        else QuietHours(time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"]), quiet["zone"] == "member"),
        texts={
            (item["kind"].upper(), item["language"]): {
                part: item[part] for part in ("subject", "text", "html", "sms") if part in item
            }
            for item in stored["templates"]
        },
        marketing=frozenset(kind.upper() for kind in stored["marketing"]),
    )
