"""What messages to members leave by: e-mail, SMS, or a line in the log where neither was set up."""

from pydantic import SecretStr

from domain.contacts.model import ContactChannel
from domain.messages.port import Notifier, Notifiers
from server.notifiers.logged import LogNotifier
from server.settings import Settings


def notifiers_of(settings: Settings) -> Notifiers:
    """An adapter for each channel, by the settings."""
    log = LogNotifier(settings.message_file)
    return {
        ContactChannel.EMAIL: log if settings.smtp_host is None else _email(settings),
        ContactChannel.SMS: log if settings.sms_url is None else _sms(settings),
    }


def code_notifiers_of(settings: Settings) -> Notifiers:
    """As `notifiers_of`, for one-time codes: what nobody sends is shown in the log, where the settings say so."""
    log = LogNotifier(settings.message_file, shows=settings.log_codes)
    return {kind: log if isinstance(by, LogNotifier) else by for kind, by in notifiers_of(settings).items()}


def _email(settings: Settings) -> Notifier:
    from server.notifiers.smtp import SmtpNotifier

    assert settings.smtp_host is not None
    assert settings.smtp_sender is not None
    return SmtpNotifier(
        settings.smtp_host,
        settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.smtp_sender,
        user=settings.smtp_user,
        password=_secret(settings.smtp_password),
        seconds=settings.message_seconds,
    )


def _sms(settings: Settings) -> Notifier:
    from server.notifiers.sms import SmsNotifier

    assert settings.sms_url is not None
    return SmsNotifier(
        settings.sms_url,
        body=settings.sms_body,
        answer_id=settings.sms_answer_id,
        token=_secret(settings.sms_token),
        seconds=settings.message_seconds,
    )


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()
