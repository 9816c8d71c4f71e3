"""GET /invoices/{id}.{kind}: an invoice as JSON, CSV or PDF, for its two parties and the operator."""

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFound
from resolvers import invoices
from resolvers.context import House
from resolvers.viewer import Verifier
from server.callers import Refused, settling

MEDIA = {"json": "application/json", "csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


class Invoices:
    """The endpoint. Who may have which invoice is decided as for the query `invoice`."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The whole file."""
        global_id, _, kind = request.path_params["file"].partition(".")
        try:
            context = settling(self._house, self._verifier, request)
            row, content = await invoices.file(context, global_id, kind)
        except Refused as refused:
            return refused.response()
        except NotFound as missing:
            return Refused(404, missing.code, missing.message(context.language)).response()
        name = "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in row.number)
        return Response(
            content,
            media_type=MEDIA[kind],
            headers={
                "content-disposition": f'attachment; filename="{name}.{kind}"',
                "x-content-type-options": "nosniff",
            },
        )
