"""Payments as a bank takes them: ISO 20022 CustomerCreditTransferInitiation, pain.001.001.09.

The same payments are the same bytes, whenever they are written: the message is named by its content.
"""

from datetime import UTC
from hashlib import sha256
from typing import Any

from lxml import etree

from alliance.banking.model import Account, Order
from alliance.banking.xml import BadXml, validate
from domain.money import from_minor

MESSAGE = "pain.001.001.09"
_SPACE = f"urn:iso:std:iso:20022:tech:xsd:{MESSAGE}"
UNKNOWN_BANK = "NOTPROVIDED"


def payment_file(order: Order) -> tuple[str, bytes]:
    """Its message id, and the file. Raises ValueError for no payments at all."""
    if not order.transfers:
        raise ValueError("a file of payments has at least one")
    message_id = f"T{sha256(repr(order).encode()).hexdigest()[:31]}".upper()
    root = etree.Element(f"{{{_SPACE}}}Document", nsmap={None: _SPACE})
    initiation = _add(root, "CstmrCdtTrfInitn")
    total = from_minor(sum(transfer.amount for transfer in order.transfers), order.currency)
    header = _add(initiation, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", f"{order.planned_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    _totals(header, order, total)
    _add(_add(header, "InitgPty"), "Nm", order.initiator)
    _instruction(_add(initiation, "PmtInf"), order, message_id, total)
    try:
        validate(root, MESSAGE)
    except BadXml as fault:
        raise RuntimeError(f"a file of payments was built wrongly: {fault}") from None
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return message_id, content


def _totals(parent: Any, order: Order, total: str) -> None:
    _add(parent, "NbOfTxs", str(len(order.transfers)))
    _add(parent, "CtrlSum", total)


def _instruction(parent: Any, order: Order, message_id: str, total: str) -> None:
    _add(parent, "PmtInfId", message_id)
    _add(parent, "PmtMtd", "TRF")
    _totals(parent, order, total)
    _add(_add(parent, "ReqdExctnDt"), "Dt", order.due.isoformat())
    _add(_add(parent, "Dbtr"), "Nm", order.debtor.name)
    _account(_add(parent, "DbtrAcct"), order.debtor)
    _bank(_add(parent, "DbtrAgt"), order.debtor)
    _add(parent, "ChrgBr", "SLEV" if order.currency == "EUR" else "SHAR")
    for transfer in order.transfers:
        one = _add(parent, "CdtTrfTxInf")
        _add(_add(one, "PmtId"), "EndToEndId", transfer.reference)
        amount = _add(_add(one, "Amt"), "InstdAmt", from_minor(transfer.amount, order.currency))
        amount.set("Ccy", order.currency)
        if transfer.to.bic is not None:
            _bank(_add(one, "CdtrAgt"), transfer.to)
        _add(_add(one, "Cdtr"), "Nm", transfer.to.name)
        _account(_add(one, "CdtrAcct"), transfer.to)
        _add(_add(one, "RmtInf"), "Ustrd", transfer.text)


def _account(parent: Any, account: Account) -> None:
    id_ = _add(parent, "Id")
    if account.iban is not None:
        _add(id_, "IBAN", account.iban)
    else:
        _add(_add(id_, "Othr"), "Id", account.other)


def _bank(parent: Any, account: Account) -> None:
    institution = _add(parent, "FinInstnId")
    if account.bic is not None:
        _add(institution, "BICFI", account.bic)
    else:
        _add(_add(institution, "Othr"), "Id", UNKNOWN_BANK)


def _add(parent: Any, name: str, text: str | None = None) -> Any:
    child = etree.SubElement(parent, f"{{{_SPACE}}}{name}")
    child.text = text
    return child
