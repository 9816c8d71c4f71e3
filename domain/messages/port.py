"""The port by which messages leave the house. Adapters are in server/notifiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.contacts.model import ContactChannel


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is sent. The provider sees the same `id` each time it is tried."""

    id: UUID
    channel: ContactChannel
    to: str
    sender: str
    language: str
    subject: str
    text: str
    html: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has taken it. `proof` is what it answered, without personal data.

    `delivered` is false where nobody was there to send it.
    """

    proof: str
    delivered: bool = True


@dataclass(frozen=True, slots=True)
class Unsent:
    """The provider has not taken it. `why` is a code, without personal data; `final`: another try would fail too."""

    why: str
    final: bool = False


class Notifier(Protocol):
    """Sends messages of one channel."""

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent | Unsent]:
        """What became of each, in order, within a bounded time. Raises nothing that one message causes."""
        ...


Notifiers = Mapping[ContactChannel, Notifier]
