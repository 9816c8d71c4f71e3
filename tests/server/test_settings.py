"""Settings: each is documented, each is checked, and secrets are kept once and for all."""

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from server.feeds import sources_of
from server.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_as_it_is() -> None:
    rows = re.findall(r"^\| `TESSERA_(\w+)` \| (.*?) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name.lower(): (default.strip("`").lower(), text) for name, default, text in rows}
    actual = {name: (str(field.default).lower(), field.description) for name, field in Settings.model_fields.items()}
    assert documented == actual


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"),
        ("port", "eighty"),
        ("database_url", "mysql://localhost/x"),
        ("redis_url", "http://localhost"),
        ("log_level", "loud"),
        ("token_secret", "short"),
    ],
)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TESSERA_{name.upper()}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]
    assert value not in str(refused.value) or name == "port"


def test_an_empty_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_DATABASE_URL", "")
    assert Settings().database_url is None


def test_a_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: settings.secret("token"), range(50)))
    (secret,) = secrets
    assert len(secret) >= 32
    assert secret != settings.secret("fingerprint")
    (kept, _) = sorted((tmp_path / "home" / "keys").iterdir(), key=lambda path: path.name != "token")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert Settings(home=tmp_path / "home").secret("token") == secret


def test_a_secret_that_is_set_is_used_and_not_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, token_secret="s" * 32)
    assert settings.secret("token") == b"s" * 32
    assert "sss" not in repr(settings)
    assert not (tmp_path / "keys").exists()


def test_the_keys_of_the_log_are_made_once_private_and_changed_by_list(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, log_name="log.test")
    [first] = settings.log_keys()
    assert first.name == "log.test"
    assert stat.S_IMODE((tmp_path / "keys" / "log").stat().st_mode) == 0o600
    assert settings.retire_log_key() is None
    second = settings.add_log_key()
    assert Settings(home=tmp_path, log_name="another").log_keys() == [first, second]
    assert settings.retire_log_key() == first
    assert settings.log_keys() == [second]
    assert stat.S_IMODE((tmp_path / "keys" / "log").stat().st_mode) == 0o600
    assert str(second) not in repr(second)


def test_where_feeds_may_read_is_set_with_secrets_that_are_not_shown() -> None:
    settings = Settings(feed_roots="file:///srv/feeds/, s3://bucket/sales", s3_key="who", s3_secret="not-for-logs")
    sources = sources_of(settings)
    assert sources.roots == ("file:///srv/feeds", "s3://bucket/sales")
    assert (sources.options["s3"]["key"], sources.options["s3"]["secret"]) == ("who", "not-for-logs")
    assert "not-for-logs" not in repr(sources) + repr(settings)
    assert sources_of(Settings()).roots == ()
    with pytest.raises(ValidationError):
        Settings(feed_roots="/srv/feeds")
