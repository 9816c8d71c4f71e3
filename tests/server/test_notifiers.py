"""Messages leave by a real mail server and a real HTTP provider, whatever these do, and no log has an address."""

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from domain.contacts.model import ContactChannel
from domain.messages.port import Outgoing, Sent, Unsent
from server.notifiers import notifiers_of
from server.notifiers.sms import SmsNotifier
from server.notifiers.smtp import SmtpNotifier
from server.settings import Settings

SENDER = "noreply@grocer.example"


def outgoing(to: str, **changes: Any) -> Outgoing:
    given = {"sender": "Grocer", "language": "zh-CN", "subject": "您好 Ann", "text": "1,200 分", "html": "<b>1,200</b>"}
    return Outgoing(uuid.uuid4(), ContactChannel.EMAIL, to, **given | changes)


@dataclass
class Mailbox:
    """A mail server that does not know bad@, is busy for busy@, and hangs up on rude@."""

    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """An address."""
        name = address.partition("@")[0]
        if name == "rude":
            server.transport.close()
        answers = {"bad": f"550 5.1.1 <{address}> unknown", "busy": f"451 4.7.1 <{address}> try later"}
        if name not in answers:
            envelope.rcpt_tos.append(address)
        return answers.get(name, "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A mail."""
        self.mails.append(cast("EmailMessage", message_from_bytes(envelope.content, policy=policy.default)))
        return f"250 2.0.0 queued for {envelope.rcpt_tos[0]}" if "says" in envelope.rcpt_tos[0] else "250 2.0.0 q7"


@pytest.fixture(scope="module")
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    box, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, enable_SMTPUTF8=True), "127.0.0.1", 0)
    yield box, server.sockets[0].getsockname()[1]
    server.close()


def smtp(port: int, **changes: Any) -> SmtpNotifier:
    return SmtpNotifier("127.0.0.1", port, **{"security": "none", "sender": SENDER, "seconds": 5.0} | changes)


async def test_mail_is_sent_and_refusals_are_told_apart(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    messages = [outgoing(f"{name}@example.com") for name in ("ann", "bad", "busy", "bob", "says")]
    results = await smtp(port).send([*messages, outgoing("not an address")])
    ids = [f"<{one.id}@grocer.example>" for one in messages]
    assert results == [
        Sent(f"2.0.0 q7 {ids[0]}"),
        Unsent("SMTP 550", final=True),
        Unsent("SMTP 451"),
        Sent(f"2.0.0 q7 {ids[3]}"),
        Sent(f"250 {ids[4]}"),
        Unsent("BAD_ADDRESS", final=True),
    ], "what a server says about an address is not kept"
    first = box.mails[0]
    assert (first["To"], first["From"], first["Subject"]) == ("ann@example.com", f"Grocer <{SENDER}>", "您好 Ann")
    assert (first["Message-ID"], first["Content-Language"]) == (ids[0], "zh-CN")
    plain, html = first.get_body(("plain",)), first.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert (plain.get_content(), html.get_content()) == ("1,200 分\r\n", "<b>1,200</b>\r\n")


async def test_a_mail_server_that_hangs_up_is_tried_again_later(mailbox: tuple[Mailbox, int]) -> None:
    _, port = mailbox
    lost = await smtp(port).send([outgoing("rude@example.com"), outgoing("ann@example.com")])
    assert [one for one in lost if isinstance(one, Sent) or one.final] == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_is_not_sent_in_the_clear_where_it_is_to_be_encrypted(
    mailbox: tuple[Mailbox, int], security: str
) -> None:
    box, port = mailbox
    before = len(box.mails)
    [result] = await smtp(port, security=security, seconds=2.0).send([outgoing("ann@example.com")])
    assert isinstance(result, Unsent)
    assert (result.final, len(box.mails)) == (False, before)


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for its address that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    since = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(since).not_valid_after(since + timedelta(days=9))
    alias = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = made.add_extension(alias, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(Encoding.PEM)
    (folder / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_a_mail_server_that_nobody_vouches_for_gets_no_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, loop, trusted = Mailbox(), asyncio.get_running_loop(), certificate(tmp_path)
    server = await loop.create_server(lambda: SMTP(box, tls_context=trusted), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        [refused] = await smtp(port, security="starttls").send([outgoing("ann@example.com")])
        assert (isinstance(refused, Unsent) and not refused.final, box.mails) == (True, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        [taken] = await smtp(port, security="starttls").send([outgoing("ann@example.com")])
        assert (isinstance(taken, Sent), len(box.mails)) == (True, 1), taken
    finally:
        server.close()


async def test_nobody_there_is_no_fault_of_the_message(unused_port: int) -> None:
    assert await smtp(unused_port).send([outgoing("ann@example.com")]) == [Unsent("SMTPConnectError")]


@pytest.fixture
async def unused_port() -> AsyncIterator[int]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@dataclass
class Gateway:
    """An SMS provider that behaves as the number says."""

    seen: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """A message."""
        body = await request.json()
        self.seen.append((body, request.headers["Idempotency-Key"]))
        match body["to"]:
            case "+1500":
                return web.Response(status=500, text="oops")
            case "+1422":
                return web.Response(status=422, text=f"{body['to']} is no number")
            case "+1301":
                raise web.HTTPMovedPermanently("http://169.254.169.254/")
            case "+1000":
                return web.Response(text="<html>garbage")
            case "+1999":
                return await self._slowly(request)
        return web.json_response({"data": {"id": f"sms-{len(self.seen)}"}})

    async def _slowly(self, request: web.Request) -> web.StreamResponse:
        """Never to the end, until the client has gone."""
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[tuple[Gateway, str]]:
    made = Gateway()
    app = web.Application()
    app.router.add_post("/sms", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/sms"
    await runner.cleanup()


async def test_sms_are_posted_whatever_the_provider_answers(gateway: tuple[Gateway, str]) -> None:
    made, url = gateway
    body = '{"to": "{to}", "message": {"text": "{sender}: {text}"}, "tags": ["{id}", 7]}'
    notifier = SmsNotifier(url, body=body, answer_id="data.id", token="secret", seconds=1.0)
    numbers = ("+16145550100", "+1500", "+1422", "+1301", "+1000", "+1999")
    messages = [outgoing(to, text="{to} {id}") for to in numbers]
    first, *others = await notifier.send(messages)
    assert isinstance(first, Sent)
    assert first.proof.startswith("HTTP 200 sms-")
    assert others == [
        Unsent("HTTP 500"),
        Unsent("HTTP 422", final=True),
        Unsent("HTTP 301"),
        Unsent("GARBLED"),
        Unsent("TimeoutError"),
    ]
    sent, key = next((body, key) for body, key in made.seen if body["to"] == numbers[0])
    id_ = str(messages[0].id)
    assert (sent["message"], sent["tags"], key) == ({"text": "Grocer: {to} {id}"}, [id_, 7], id_), "filled once"


async def test_without_a_provider_a_line_in_the_log_stands_for_a_message(tmp_path: Path) -> None:
    message = outgoing("ann@example.com")
    plain = notifiers_of(Settings(home=tmp_path))
    with capture_logs() as lines:
        for channel in ContactChannel:
            assert await plain[channel].send([message]) == [Sent("log", delivered=False)]
    assert [line["message"] for line in lines] == [str(message.id)] * 2
    assert "ann@example.com" not in str(lines)
    file = tmp_path / "messages.jsonl"
    await notifiers_of(Settings(home=tmp_path, message_file=file))[ContactChannel.SMS].send([message])
    assert json.loads(file.read_text())["to"] == "ann@example.com"


def test_settings_choose_the_providers(tmp_path: Path) -> None:
    found = notifiers_of(Settings(home=tmp_path, smtp_host="mail", smtp_sender=SENDER, sms_url="https://sms.example"))
    assert [type(found[channel]) for channel in ContactChannel] == [SmtpNotifier, SmsNotifier]
    wrong: Sequence[dict[str, Any]] = (
        {"smtp_host": "mail"},
        {"sms_body": "[]"},
        {"sms_body": "{"},
        {"sms_url": "ftp:"},
    )
    for settings in wrong:
        with pytest.raises(ValueError, match=r"SENDER|JSON|Expecting|http"):
            Settings(home=tmp_path, **settings)
