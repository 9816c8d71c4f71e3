"""The public keys of members' codes, by which a till checks a code without us (RFC 7517)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alliance.runtime import Runtime

MAX_AGE = 3600
"""Seconds for which a till may keep the keys: less than a new one is published before it signs."""


class CodeKeys:
    """For anybody."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def get(self, _: Request) -> Response:
        """GET /.well-known/jwks.json."""
        assert self._runtime.codes is not None
        headers = {"Cache-Control": f"public, max-age={MAX_AGE}"}
        return JSONResponse(self._runtime.codes.jwks, headers=headers, media_type="application/jwk-set+json")
