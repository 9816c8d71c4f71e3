"""GET /payments/{cycle}/{messageId}.xml: a file of payments, for the bank of who pays."""

from starlette.requests import Request
from starlette.responses import Response

from alliance.banking.errors import AccountMissing
from domain.errors import NotFound
from resolvers import payment_files
from resolvers.context import House, language_of
from resolvers.viewer import Verifier
from server.callers import Refused, settling


class PaymentFiles:
    """The endpoint. Who may have which file is decided as for `SettlementCycle.paymentFiles`."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The whole file."""
        message_id = request.path_params["file"].removesuffix(".xml")
        language = language_of(request.headers.get("accept-language", ""))
        try:
            context = settling(self._house, self._verifier, request)
            file = await payment_files.one(context, request.path_params["cycle"], message_id)
        except Refused as refused:
            return refused.response()
        except NotFound as missing:
            return Refused(404, missing.code, missing.message(language)).response()
        except AccountMissing as missing:
            return Refused(409, missing.code, missing.message(language)).response()
        named = {"content-disposition": f'attachment; filename="{file.message_id}.xml"', "cache-control": "no-store"}
        named["x-content-type-options"] = "nosniff"
        return Response(file.content, media_type="application/xml", headers=named)
