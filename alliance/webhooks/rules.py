"""Signing by the Standard Webhooks scheme, waits between attempts, addresses that may be called. Pure functions."""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from uuid import UUID

from domain.errors import InvalidInput

PORTS = (443, 8443)
LONGEST_URL = 500
OVERLAP = timedelta(days=1)
"""For so long the secret before the newest signs too."""

# No user, no fragment, nothing that one reader of addresses takes otherwise than another.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
# Where packets go elsewhere than they seem to (translation, tunnels), or to nobody in particular.
_ELSEWHERE = [
    ip_network(net)
    for net in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "fec0::/10",
    )
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a partner is waited for: the first wait, made three times as long each time, up to the longest; attempts
    at a delivery; how long all may fail before the webhook is disabled; seconds for an answer."""

    first: float = 5.0
    longest: float = 6 * 3600.0
    attempts: int = 12
    failing: timedelta = timedelta(days=1)
    answer: float = 10.0

    def wait(self, attempt: int, spread: float) -> float:
        """Seconds until the next attempt after this many; `spread` is chosen from 0 to 1, so that what failed together
        does not come back together."""
        return (0.75 + spread / 2) * min(self.longest, self.first * 3.0 ** min(attempt - 1, 30))


def master_of(secret: bytes) -> bytes:
    """What the secrets of webhooks are made of, from a secret of the installation's that never changes."""
    return hmac.digest(secret, b"webhooks", "sha256")


def secret_of(master: bytes, webhook_id: UUID, generation: int) -> str:
    """A webhook's secret, as its owner keeps it. It is kept nowhere: whoever has the master makes it again."""
    raw = hmac.digest(master, b"webhook" + webhook_id.bytes + generation.to_bytes(8, "big"), "sha256")
    return "whsec_" + b64encode(raw).decode()


def secrets_at(
    master: bytes, webhook_id: UUID, generation: int, previous_until: datetime | None, now: datetime
) -> list[str]:
    """The secrets that sign now, the newest first."""
    secrets = [secret_of(master, webhook_id, generation)]
    if previous_until is not None and now < previous_until:
        secrets.append(secret_of(master, webhook_id, generation - 1))
    return secrets


def signed(message_id: str, now: datetime, body: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    """The headers of a message (standardwebhooks.com, version 1): a signature of each secret."""
    stamp = str(int(now.timestamp()))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    macs = [hmac.digest(b64decode(secret.removeprefix("whsec_")), content, "sha256") for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join("v1," + b64encode(mac).decode() for mac in macs),
    }


def require_url(url: str, *, private: bool) -> None:
    """Raises InvalidInput for an address that is never called. `private`: for development, http and any port and
    address are well."""
    found = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if found is None:
        raise InvalidInput(reason="must be https://name/path, without user, password and fragment", path=("url",))
    if private:
        return
    if found["scheme"] != "https":
        raise InvalidInput(reason="must begin with https://", path=("url",))
    if found["port"] is not None and int(found["port"]) not in PORTS:
        raise InvalidInput(reason=f"its port must be one of {', '.join(map(str, PORTS))}", path=("url",))
    if found["host"].rpartition(".")[2].isdigit():
        raise InvalidInput(reason="must name a host, not an address", path=("url",))


def may_be_called(address: str) -> bool:
    """Whether an address is on the public network, and nobody's special: not this machine, a private network, a cloud's
    metadata, or a way round to them."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if any(ip in net for net in _ELSEWHERE if net.version == ip.version):
        return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local or ip.is_private or ip.is_unspecified
    )


def ready(waiting: Mapping[int, Collection[str]], flying: Collection[int], due: Collection[int]) -> list[int]:
    """Which of the deliveries that wait, by position with whom they are about, may be sent: those that are due, not on
    their way, and after no other that is about the same holder."""
    held: set[str] = set()
    found = []
    for position in sorted(waiting):
        about = waiting[position]
        if position in due and position not in flying and held.isdisjoint(about):
            found.append(position)
        held.update(about)
    return found
