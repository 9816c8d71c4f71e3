"""Calling addresses that others chose: only the public network, no redirects, little of the answer, not for long.

The name is resolved once a connection, every address it has is checked, and it is these that are connected to: a name
that means something else a moment later is of no use. The certificate is checked against the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from alliance.webhooks.rules import may_be_called, require_url
from domain.errors import InvalidInput

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name. Raises OSError."""

#: Bytes of an answer that are read, and not looked at, so that its connection can be used again.
MOST_READ = 16_384


class Forbidden(Exception):
    """An address that is never called."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of the answer, or why there was none."""

    status: int | None
    error: str | None = None


async def look_up(name: str, port: int) -> list[str]:
    """As the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class _Checked(AbstractResolver):
    """Resolves names to addresses that may be called; a name that has any other is refused as a whole."""

    def __init__(self, look_up: Lookup, private: bool) -> None:
        self._look_up, self._private = look_up, private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError, Forbidden."""
        addresses = list(dict.fromkeys(await self._look_up(host, port)))
        if not self._private and not all(map(may_be_called, addresses)):
            raise Forbidden("it resolves to an address that is never called")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Outgoing:
    """Open one a process, in its event loop. `private`: for development, any address is called, also by http."""

    def __init__(
        self, *, private: bool, seconds: float, look_up: Lookup = look_up, trusted: ssl.SSLContext | None = None
    ) -> None:
        self._private = private
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_Checked(look_up, private),
                use_dns_cache=False,
                limit=0,
                ssl=trusted or ssl.create_default_context(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=seconds),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body. What is wrong with the address, or on the way, is an answer too."""
        try:
            require_url(url, private=self._private)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await _drain(response)
                return Answer(response.status)
        except InvalidInput as refusal:
            return Answer(None, refusal.message())
        except Forbidden as refused:
            return Answer(None, str(refused))
        except aiohttp.ClientConnectorCertificateError:
            return Answer(None, "its certificate is not to be trusted")
        except TimeoutError:
            return Answer(None, "no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, type(error).__name__)

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short answer; hang up on a long one."""
    if response.content_length is not None and response.content_length <= MOST_READ:
        try:
            await response.content.read(MOST_READ)
            return
        except (aiohttp.ClientError, TimeoutError):
            pass
    response.close()
