"""Settings: environment variables with the prefix TESSERA_, each with a default that works on one machine.

docs/settings.md says the same to operators; a test keeps the two together.
"""

import json
import os
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.privacy.keys import GivenKeys, KeyProvider
from server import keyring

if TYPE_CHECKING:
    from alliance.proofs.notes import PrivateKey
    from domain.codes.rules import CodeKey, Codes
    from server.access.wechat import WeChatApp


class Settings(BaseSettings):
    """What an operator can set. Secrets that are not set are made at first use and kept under `home/keys`."""

    model_config = SettingsConfigDict(env_prefix="TESSERA_", extra="ignore", hide_input_in_errors=True)

    home: Path = Field(
        default=Path("~/.tessera"),
        description="Folder of the embedded servers' data, the keys and the logs.",
    )
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL 18 of your own (`postgresql://user:password@host/name`); else an embedded one runs.",
    )
    redis_url: str | None = Field(
        default=None,
        description="Valkey 9 or Redis 7 of your own (`redis://host:6379/0`); else an embedded one runs.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the API listens on.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least serious log entry that is written; `debug` includes every request."
    )
    log_json: bool = Field(default=False, description="Write logs as one JSON object a line instead of readable text.")
    shutdown_seconds: int = Field(
        default=10,
        ge=0,
        description="Seconds that open requests get to finish when the API is told to stop, and jobs in hand when a "
        "worker is; those that are not done by then are handed back.",
    )
    graphiql: bool = Field(default=True, description="Serve GraphiQL to browsers that GET /graphql.")
    max_body_bytes: int = Field(
        default=1_000_000, ge=1_000, description="Largest body of a GraphQL request, in bytes; feeds are not limited."
    )
    worker_threads: int = Field(
        default=8, ge=1, le=64, description="Messages of jobs that one worker process works on at once."
    )
    job_redelivery: float = Field(
        default=30.0,
        gt=0,
        description="Seconds after which a job that was handed out, but not begun, is handed out again.",
    )
    stall_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that the event loop of a relay, worker or scheduler may be blocked before the process "
        "ends, so that another is started.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port on which a relay, worker or scheduler answers `/healthz`, `/readyz` and `/metrics`, at "
        "`TESSERA_HOST`; left out, none. Under `tessera up` the worker takes the next one, the scheduler that after.",
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="Where traces are sent: the base address of an OpenTelemetry collector (OTLP over HTTP, such as "
        "`http://localhost:4318`). Needs the extra `otel`; left out, nothing is traced.",
    )
    trace_share: float = Field(
        default=1.0, ge=0, le=1, description="Share of the requests that are traced, where the caller has not decided."
    )
    smtp_host: str | None = Field(
        default=None,
        description="Mail server by which members are written to; left out, e-mail is a line in the log and counts as "
        "not delivered. See docs/notifications.md.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted: from the start (`tls`), or before signing in."
    )
    smtp_user: str | None = Field(default=None, description="User name there.")
    smtp_password: SecretStr | None = Field(default=None, description="Password there.")
    smtp_sender: str | None = Field(
        default=None, description="Address that members are written from; needed with `TESSERA_SMTP_HOST`."
    )
    sms_url: str | None = Field(
        default=None,
        description="Where an SMS is posted as JSON; left out, it is a line in the log and counts as not delivered.",
    )
    sms_token: SecretStr | None = Field(default=None, description="Bearer token for it.")
    sms_body: str = Field(
        default='{"to": "{to}", "text": "{text}", "from": "{sender}", "reference": "{id}"}',
        description="The JSON object that is posted, with `{to}`, `{text}`, `{sender}` and `{id}` in its texts.",
    )
    sms_answer_id: str | None = Field(
        default=None,
        description="Where the provider's answer, a JSON object, has its id, such as `data.id`; one without it counts "
        "as a failure.",
    )
    message_seconds: float = Field(
        default=10.0, gt=0, le=60, description="Seconds that a mail server or SMS provider has to answer."
    )
    message_file: Path | None = Field(
        default=None,
        description="File to which messages that nobody sends are written whole, addresses and all: for development.",
    )
    log_codes: bool = Field(
        default=False,
        description="For development: one-time codes that nobody sends, for want of a provider, are shown in the log.",
    )
    wechat_url: str = Field(
        default="https://api.weixin.qq.com", description="Where WeChat is asked who has a code that it gave out."
    )
    wechat_seconds: float = Field(default=5.0, gt=0, le=60, description="Seconds that WeChat has to answer.")
    wechat_apps: SecretStr | None = Field(
        default=None,
        description="Merchants' apps at WeChat, a JSON object by app id: "
        '`{"wx0123": {"merchant": "grocer", "kind": "mini_program", "secret": "..."}}`; the kind may also be '
        "`official`, `app` or `web`.",
    )
    token_secret: SecretStr | None = Field(
        default=None,
        description="Secret that signs access tokens, at least 32 characters; left out, one is made and kept under "
        "`home/keys`. Must be the same for every API process.",
    )
    fingerprint_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the HMAC by which a repeated idempotency key is compared, at least 32 characters; left "
        "out, one is made and kept under `home/keys`. Must be the same for every API process and never change.",
    )
    wrapping_keys: SecretStr | None = Field(
        default=None,
        description="Keys that wrap members' keys, 32 bytes each in base64, separated by commas, oldest first; left "
        "out, one is made and kept under `home/keys`. Must be the same for every process. Lost, what is personal is "
        "lost.",
    )
    lookup_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the keyed hash by which identifiers are looked up, at least 32 characters; left out, "
        "one is made and kept under `home/keys`. Must be the same for every process and never change.",
    )
    code_keys: SecretStr | None = Field(
        default=None,
        description="Keys that sign the codes members show at tills, one a line as in `home/keys/codes`; left out, "
        "that file is read, and made if it is not there. Must be the same for every API process and worker.",
    )
    webhook_private: bool = Field(
        default=False,
        description="For development: webhooks may also go to private addresses, to any port, and by http.",
    )
    log_name: str = Field(
        default="tessera.local/log",
        pattern=r"^[^\s+]+$",
        description="Name of the log of operations in its checkpoints and keys, such as `loyalty.example/log`; taken "
        "when the first key is made, and never changed.",
    )

    feed_roots: str = Field(
        default="",
        description="Folders from which feeds may read files, with all that lies in them, separated by commas, such as "
        "`file:///srv/feeds,s3://our-bucket/sales`; none, and no feed reads anything.",
    )
    messages_kept: int = Field(
        default=400,
        ge=366,
        description="Days for which messages to members are kept; what proves that a member was told of a loss is kept "
        "with its notice.",
    )
    runs_kept: int = Field(
        default=30, ge=1, description="Days for which what the scheduler started, and groups of jobs, are listed."
    )
    partner_file_bytes: int = Field(
        default=1024**3, ge=1024, description="Most bytes of a file that a merchant sends for reconciliation."
    )
    feed_poll: float = Field(default=60.0, ge=1, description="Seconds between looks into the folders of feeds.")
    feed_settle: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that a file must not have changed before it is taken; one with a `.done` beside it is "
        "taken at once.",
    )
    s3_endpoint: str | None = Field(
        default=None, description="Address of an S3-compatible store for feeds; left out, Amazon's."
    )
    s3_region: str | None = Field(default=None, description="Region of that store, where it has several.")
    s3_key: str | None = Field(
        default=None,
        description="Access key for the buckets of feeds; left out, what the AWS tools use on this machine.",
    )
    s3_secret: SecretStr | None = Field(default=None, description="Secret that belongs to that access key.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: str | None) -> str | None:
        return _with_scheme(url, "postgresql", "postgres")

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        return _with_scheme(url, "redis", "rediss", "unix")

    @field_validator("wechat_url")
    @classmethod
    def _wechat(cls, url: str) -> str | None:
        return _with_scheme(url, "https", "http")

    @field_validator("wechat_apps")
    @classmethod
    def _apps(cls, apps: SecretStr | None) -> SecretStr | None:
        from server.access.wechat import WeChatApp

        try:
            TypeAdapter(dict[str, WeChatApp]).validate_json("{}" if apps is None else apps.get_secret_value())
        except ValidationError:  # it would say what the secrets are
            raise ValueError("must be a JSON object by app id, each with merchant, kind and secret") from None
        return apps

    @field_validator("sms_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        return _with_scheme(url, "https", "http")

    @field_validator("sms_body")
    @classmethod
    def _json_object(cls, body: str) -> str:
        if not isinstance(json.loads(body), dict):  # its error is a ValueError
            raise ValueError("must be a JSON object")
        return body

    @model_validator(mode="after")
    def _has_sender(self) -> "Settings":
        if self.smtp_host is not None and self.smtp_sender is None:
            raise ValueError("TESSERA_SMTP_HOST needs TESSERA_SMTP_SENDER")
        return self

    @field_validator("feed_roots")
    @classmethod
    def _roots(cls, roots: str) -> str:
        for root in filter(None, map(str.strip, roots.split(","))):
            scheme, separator, path = root.partition("://")
            if not separator or scheme not in ("file", "s3", "memory") or not path.strip("/"):
                raise ValueError("each is a folder such as file:///srv/feeds or s3://bucket/folder")
        return roots

    @field_validator("token_secret", "fingerprint_secret", "lookup_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return secret

    @field_validator("wrapping_keys")
    @classmethod
    def _keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            keyring.parse(keys.get_secret_value())  # its error is a ValueError
        return keys

    def secret(self, name: str) -> bytes:
        """The secret `token`, `fingerprint` or `lookup`: as set, else from `home/keys`, made if it is not there."""
        settings = {"token": self.token_secret, "fingerprint": self.fingerprint_secret, "lookup": self.lookup_secret}
        given = settings[name]
        if given is not None:
            return given.get_secret_value().encode()
        return _kept(self.home / "keys" / name, lambda: secrets.token_hex(32))

    def keys(self) -> KeyProvider:
        """The keys of what is personal: as set, else from `home/keys`, made if they are not there."""
        if self.wrapping_keys is not None:
            return GivenKeys(keyring.parse(self.wrapping_keys.get_secret_value()), self.secret("lookup"))
        path = self.home / "keys" / "wrapping"
        _kept(path, lambda: f"{keyring.new_line()}\n")
        return keyring.FileKeys(path, lambda: self.secret("lookup"))

    def add_wrapping_key(self) -> bool:
        """A new wrapping key after the others in `home/keys`; False if the settings name them, which are not ours."""
        if self.wrapping_keys is not None:
            return False
        path = self.home / "keys" / "wrapping"
        _replace(path, _kept(path, lambda: "").decode() + f"{keyring.new_line()}\n")
        return True

    def retire_wrapping_keys(self, needed: Collection[str]) -> int:
        """Take all wrapping keys out of `home/keys` but the newest and those that are `needed`; how many."""
        if self.wrapping_keys is not None:
            return 0
        path = self.home / "keys" / "wrapping"
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        kept = [line for line in lines if line == lines[-1] or keyring.parse(line)[0].id in needed]
        _replace(path, "".join(f"{line}\n" for line in kept))
        return len(lines) - len(kept)

    def apps_of_wechat(self) -> "dict[str, WeChatApp]":
        """Merchants' apps at WeChat, by id."""
        from server.access.wechat import WeChatApp

        said = "{}" if self.wechat_apps is None else self.wechat_apps.get_secret_value()
        return TypeAdapter(dict[str, WeChatApp]).validate_json(said)

    def codes(self) -> "Codes":
        """What issues and reads members' codes. Raises ValueError for keys that cannot be read."""
        from domain.codes.rules import Codes

        return Codes(self._code_keys())

    def _code_keys(self) -> "list[CodeKey]":
        from domain.codes.rules import CodeKey

        if self.code_keys is not None:
            content = self.code_keys.get_secret_value()
        else:
            content = _kept(self.home / "keys" / "codes", lambda: f"{CodeKey.new(datetime.now(UTC))}\n").decode()
        return [CodeKey.parse(line) for line in content.splitlines() if line.strip()]

    def add_code_key(self) -> "CodeKey":
        """A new key for codes, which signs from a day on: until then tills come to know it. Raises ValueError."""
        from domain.codes.rules import ANNOUNCED, CodeKey

        keys, fresh = self._code_keys(), CodeKey.new(datetime.now(UTC) + ANNOUNCED)
        self._keep_code_keys([*keys, fresh])
        return fresh

    def retire_code_key(self) -> "CodeKey | None":
        """Trust the oldest key no more; None if no other signs yet. Raises ValueError."""
        keys = self._code_keys()
        if len(keys) < 2 or keys[1].signs_from > datetime.now(UTC):
            return None
        self._keep_code_keys(keys[1:])
        return keys[0]

    def _keep_code_keys(self, keys: "list[CodeKey]") -> None:
        if self.code_keys is not None:
            raise ValueError("the keys are set by TESSERA_CODE_KEYS: change them there")
        _replace(self.home / "keys" / "codes", "".join(f"{key}\n" for key in keys))

    def log_keys(self) -> "list[PrivateKey]":
        """The keys that sign checkpoints, one a line in `home/keys/log`; the first is made if there is none.

        Raises BadNote for a file that holds anything else.
        """
        from alliance.proofs.notes import PrivateKey

        content = _kept(self.home / "keys" / "log", lambda: f"{PrivateKey.new(self.log_name)}\n")
        return [PrivateKey.parse(line) for line in content.decode().splitlines() if line.strip()]

    def add_log_key(self) -> "PrivateKey":
        """A new key for the log of the same name, after the old ones: from its next start the sealer signs with all."""
        from alliance.proofs.notes import PrivateKey

        keys = self.log_keys()
        fresh = PrivateKey.new(keys[0].name)
        _replace(self.home / "keys" / "log", "".join(f"{key}\n" for key in [*keys, fresh]))
        return fresh

    def retire_log_key(self) -> "PrivateKey | None":
        """Stop signing with the oldest key; None if there is but one."""
        keys = self.log_keys()
        if len(keys) < 2:
            return None
        _replace(self.home / "keys" / "log", "".join(f"{key}\n" for key in keys[1:]))
        return keys[0]


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read from the environment once. Raises pydantic.ValidationError."""
    return Settings()


def _with_scheme(url: str | None, *schemes: str) -> str | None:
    """The URL, None if it is empty. Raises ValueError if it is of another kind."""
    if url and url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {schemes[0]}://")
    return url or None


def _kept(path: Path, make: Callable[[], str]) -> bytes:
    """The secret in a file, made on first use; processes that start together agree on one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = _written(path, make())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first: its secret is the one
        finally:
            fresh.unlink()
    return path.read_bytes()


def _replace(path: Path, content: str) -> None:
    """Another content for the file, all at once."""
    _written(path, content).replace(path)


def _written(path: Path, content: str) -> Path:
    """A file beside this one that only we may read, safely on disk."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return fresh
