"""Calling what others chose: never a private address, whatever the name says later; no redirects; not for long."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alliance.webhooks import rules
from alliance.webhooks.rules import may_be_called, require_url
from domain.errors import InvalidInput
from workers import outgoing
from workers.outgoing import Answer, Outgoing

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PARTNER = "partner.example"


@asynccontextmanager
async def endpoint(answer: bytes, certificate: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each request with these bytes, for ever if they end in `…`; port, what it was sent."""
    requests: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer.removesuffix("…".encode()))
            while answer.endswith("…".encode()):
                writer.write(b"x" * 65536)
                await writer.drain()
            await writer.drain()
            if not answer:
                await over.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        over.set()
        server.close()


async def posted(url: str, **settings: Any) -> Answer:
    """The answer of an endpoint, where all addresses may be called."""
    caller = Outgoing(**{"private": True, "seconds": 30.0, **settings})
    try:
        return await caller.post(url, b"{}", {})
    finally:
        await caller.close()


async def test_redirects_are_not_followed() -> None:
    async with (
        endpoint(b"HTTP/1.1 204 No Content\r\n\r\n") as (target, reached),
        endpoint(f"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n".encode()) as (
            port,
            requests,
        ),
    ):
        assert await posted(f"http://127.0.0.1:{port}/hook") == Answer(307)
        assert (len(requests), reached) == (1, [])


async def test_of_an_endless_body_little_is_read() -> None:
    async with endpoint("HTTP/1.1 200 OK\r\n\r\n…".encode()) as (port, _), asyncio.timeout(60):
        assert await posted(f"http://127.0.0.1:{port}/hook") == Answer(200)


async def test_an_endless_head_is_no_answer() -> None:
    async with endpoint("HTTP/1.1 200 OK\r\nx: …".encode()) as (port, _), asyncio.timeout(60):
        answer = await posted(f"http://127.0.0.1:{port}/hook")
    assert answer.status is None


async def test_who_does_not_answer_is_not_waited_for() -> None:
    async with endpoint(b"") as (port, _), asyncio.timeout(60):
        assert await posted(f"http://127.0.0.1:{port}/hook", seconds=0.2) == Answer(None, "no answer in time")


class Authority:
    """Signs certificates, and is trusted by whoever takes its context."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        self._own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))

    def _signed(self, name: x509.Name, key: Any, *extensions: Any, days: int = 1) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
        for extension in extensions:
            made = made.add_extension(extension, critical=True)
        return made.sign(self._key, hashes.SHA256())

    @property
    def trusted(self) -> ssl.SSLContext:
        """Trusts this authority alone."""
        return ssl.create_default_context(cadata=self._own.public_bytes(serialization.Encoding.PEM).decode())

    def server(self, name: str, days: int = 1) -> ssl.SSLContext:
        """For a server of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = self._signed(x509.Name([]), key, named, days=days)
        path = self._folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.mark.parametrize(
    ("name", "days", "trusted"),
    [(PARTNER, 1, True), ("other.example", 1, True), (PARTNER, -1, True), (PARTNER, 1, False)],
    ids=["well", "of another name", "expired", "of nobody who is trusted"],
)
async def test_the_certificate_is_that_of_the_name(tmp_path: Path, name: str, days: int, trusted: bool) -> None:
    authority = Authority(tmp_path)

    async def local(_name: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    known = authority.trusted if trusted else ssl.create_default_context()
    async with endpoint(b"HTTP/1.1 204 No Content\r\n\r\n", authority.server(name, days)) as (port, requests):
        answer = await posted(f"https://{PARTNER}:{port}/hook", look_up=local, trusted=known)
        good = name == PARTNER and days > 0 and trusted
        assert answer == (Answer(204) if good else Answer(None, "its certificate is not to be trusted"))
        assert len(requests) == good


async def test_a_name_that_means_a_private_address_a_moment_later_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one that is connected to; the next connection checks again."""
    authority, asked = Authority(tmp_path), list[str]()
    answers = [["127.0.0.1"], ["10.0.0.9"], ["127.0.0.1", "169.254.169.254"]]

    async def rebinding(name: str, _port: int) -> list[str]:
        asked.append(name)
        return answers[len(asked) - 1]

    monkeypatch.setattr(outgoing, "may_be_called", lambda address: address == "127.0.0.1")
    head = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    async with endpoint(head, authority.server(PARTNER)) as (port, requests):
        monkeypatch.setattr(rules, "PORTS", (port,))
        caller = Outgoing(private=False, seconds=30.0, look_up=rebinding, trusted=authority.trusted)
        url = f"https://{PARTNER}:{port}/hook"
        said = [await caller.post(url, b"{}", {}) for _ in answers]
        await caller.close()
    refused = Answer(None, "it resolves to an address that is never called")
    assert said == [Answer(204), refused, refused]
    assert (len(requests), asked) == (1, [PARTNER] * 3)


async def test_this_machine_is_not_called_by_any_name() -> None:
    async with endpoint(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, requests):
        for host in ("localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]"):
            for url in (f"https://{host}/", f"https://{host}:{port}/", f"http://{host}:{port}/"):
                assert (await posted(url, private=False)).status is None
        assert requests == []


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("198.18.0.1", False),
        ("192.0.0.192", False),
        ("::", False),
        ("::1", False),
        ("::ffff:93.184.216.34", False),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:0:a00:1::", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_the_public_network_may_be_called(address: str, may: bool) -> None:
    assert ip_address(address.partition("%")[0])
    assert may_be_called(address) is may


@pytest.mark.parametrize(
    ("url", "well"),
    [
        ("https://partner.example/hooks/tessera?key=1", True),
        ("https://partner.example:8443", True),
        ("http://partner.example/", False),
        ("https://partner.example:22/", False),
        ("https://user:password@partner.example/", False),
        ("https://partner.example\\@10.0.0.1/", False),
        ("https://partner.example/#fragment", False),
        ("https://10.0.0.1/", False),
        ("https://127.1/", False),
        ("https://[::1]/", False),
        ("https://partner.example/ x", False),
        ("https://partner.example/\r\nx: y", False),
        ("https:///nowhere", False),
        ("ftp://partner.example/", False),
        ("file:///etc/passwd", False),
        ("https://" + "a" * 600, False),
        ("", False),
    ],
)
def test_an_address_is_plain(url: str, well: bool) -> None:
    if well:
        require_url(url, private=False)
    else:
        with pytest.raises(InvalidInput):
            require_url(url, private=False)
