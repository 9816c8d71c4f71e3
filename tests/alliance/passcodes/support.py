"""Somebody who reads the messages with codes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.contacts.model import ContactChannel
from domain.messages.port import Outgoing, Sent


@dataclass
class Phone:
    """Takes all messages."""

    got: list[Outgoing] = field(default_factory=list)
    broken: bool = False

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        if self.broken:
            raise OSError("no network")
        self.got += messages
        return [Sent("250") for _ in messages]

    @property
    def code(self) -> str:
        """In the last message."""
        found = re.search(r"\d{6}", self.got[-1].text)
        assert found is not None
        return found[0]

    @property
    def notifiers(self) -> dict[ContactChannel, "Phone"]:
        """For any channel."""
        return {ContactChannel.SMS: self, ContactChannel.EMAIL: self}
