"""Keys of members' codes: published, kept, changed."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.codes.rules import CodeKey
from server.access.codes import CodeKeys
from server.settings import Settings

FIRST, SECOND = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


async def test_anybody_may_have_the_public_keys(runtime: Runtime, tmp_path: Path) -> None:
    runtime.codes = Settings(home=tmp_path).codes()
    app = Starlette(routes=[Route("/.well-known/jwks.json", CodeKeys(runtime).get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    code = runtime.codes.issue(uuid4(), datetime.now(UTC))
    jwt.decode(code.token, KeySet.import_key_set(answer.json()), algorithms=["ES256"])


def test_a_key_is_kept_and_a_new_one_announced(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    [first] = settings.codes().jwks["keys"]
    kept = tmp_path / "keys" / "codes"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    second = settings.add_code_key()
    assert [key["kid"] for key in settings.codes().jwks["keys"]] == [first["kid"], second.kid]
    assert settings.retire_code_key() is None, "the new one does not sign yet"
    kept.write_text(f"{CodeKey.new(FIRST)}\n{CodeKey.new(SECOND)}\n")
    gone = settings.retire_code_key()
    assert gone is not None
    assert gone.signs_from == FIRST
    assert len(settings.codes().jwks["keys"]) == 1


def test_keys_that_are_set_are_not_changed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_CODE_KEYS", f"{CodeKey.new(FIRST)}\n{CodeKey.new(SECOND)}\n")
    settings = Settings(home=tmp_path)
    assert len(settings.codes().jwks["keys"]) == 2
    with pytest.raises(ValueError, match="TESSERA_CODE_KEYS"):
        settings.add_code_key()
    with pytest.raises(ValueError, match="TESSERA_CODE_KEYS"):
        settings.retire_code_key()
    assert not (tmp_path / "keys").exists()
