"""E-mail by SMTP (RFC 5321): one connection a batch, encrypted unless the settings say otherwise."""

import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Literal

import aiosmtplib

from domain.messages.port import Outgoing, Sent, Unsent

#: What says that the address itself is no good (RFC 5321, 4.2.3); other refusals are of us, or pass.
BAD_ADDRESS = frozenset({510, 511, 512, 521, 525, 550, 551, 553, 556})

_LOST = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPConnectError, OSError)
_PROOF = re.compile(r"[^@\s](?:[^@]{0,198}[^@\s])?")


class SmtpNotifier:
    """Hands messages to a mail server, which delivers them. `seconds` bounds each step of the conversation."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: Literal["tls", "starttls", "none"],
        sender: str,
        user: str | None = None,
        password: str | None = None,
        seconds: float = 10.0,
    ) -> None:
        self._server = {"hostname": host, "port": port, "timeout": seconds, "username": user, "password": password}
        self._server |= {"use_tls": security == "tls", "start_tls": security == "starttls"}
        self._sender = sender

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent | Unsent]:
        """What became of each. With the connection gone, those that are left are not sent."""
        results: list[Sent | Unsent] = []
        client = aiosmtplib.SMTP(**self._server)  # type: ignore[arg-type]
        try:
            await client.connect()
            for message in messages:
                results.append(await self._one(client, message))
            await client.quit()
        except (*_LOST, aiosmtplib.SMTPException) as error:
            lost = Unsent(_code(error))
            results += [lost] * (len(messages) - len(results))
        finally:
            client.close()
        return results

    async def _one(self, client: aiosmtplib.SMTP, message: Outgoing) -> Sent | Unsent:
        try:
            mail = self._mail(message)
        except (ValueError, IndexError):  # an address that is none, for the standard library
            return Unsent("BAD_ADDRESS", final=True)
        try:
            _, answer = await client.send_message(mail, sender=self._sender, recipients=[message.to])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            code = refused.recipients[0].code
            return Unsent(f"SMTP {code}", final=code in BAD_ADDRESS)
        except aiosmtplib.SMTPNotSupported:
            return Unsent("SMTPUTF8", final=True)
        except aiosmtplib.SMTPResponseException as refused:
            return Unsent(f"SMTP {refused.code}")
        # What a server answers may repeat the address; a queue id does not.
        proof = answer if _PROOF.fullmatch(answer) else "250"
        return Sent(f"{proof} {mail['Message-ID']}")

    def _mail(self, message: Outgoing) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address(message.sender, addr_spec=self._sender)
        mail["To"] = Address(addr_spec=message.to)
        mail["Subject"] = message.subject
        mail["Date"] = formatdate(usegmt=True)
        # The same each time it is sent: who gets it twice sees it once.
        mail["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        if message.html:
            mail.add_alternative(message.html, subtype="html")
        mail["Content-Language"] = message.language  # last: what comes before goes with the first part
        return mail


def _code(error: BaseException) -> str:
    """An error without its text, in which a server may say anything."""
    code = getattr(error, "code", None)
    return f"SMTP {code}" if isinstance(code, int) and code > 0 else type(error).__name__
