"""How the token endpoint refuses."""

from starlette.responses import JSONResponse


class OAuthError(Exception):
    """A refusal of the token endpoint: `code` by RFC 6749, section 5.2. `unknown`: nobody is known by what was said."""

    def __init__(
        self,
        code: str,
        description: str,
        *,
        status: int = 400,
        headers: dict[str, str] | None = None,
        unknown: bool = False,
    ) -> None:
        self.response = JSONResponse(
            {"error": code, "error_description": description},
            status,
            {"Cache-Control": "no-store", **(headers or {})},
        )
        self.code, self.unknown = code, unknown
        super().__init__(code)
