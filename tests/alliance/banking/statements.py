"""Statements of banks, as tests send them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


@dataclass(frozen=True, slots=True)
class Line:
    """A movement: `amount` as text, with a minus for what went."""

    number: str
    amount: str
    day: str = "2017-06-09"
    reference: str = ""
    text: str = ""
    name: str = ""
    iban: str = ""
    status: str = "BOOK"
    reversal: bool = False
    parts: Sequence["Line"] = ()


def camt(
    lines: Iterable[Line],
    id_: str = "ST1",
    iban: str = "DE89370400440532013000",
    version: str = "08",
    currency: str = "USD",
    balances: tuple[str, str] | None = None,
) -> bytes:
    """A camt.053."""
    told = "".join(
        _balance(kind, amount, currency) for kind, amount in zip(("OPBD", "CLBD"), balances or (), strict=False)
    )
    told = told or _balance("CLAV", "0", currency)
    entries = "".join(_entry(line, version, currency) for line in lines)
    created = "<CreDtTm>2017-06-10T06:00:00+00:00</CreDtTm>"
    statement = f"<Stmt><Id>{id_}</Id>{created}<Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{told}{entries}</Stmt>"
    body = f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId>{created}</GrpHdr>{statement}</BkToCstmrStmt>"
    return f'<?xml version="1.0"?><Document xmlns="{SPACE}{version}">{body}</Document>'.encode()


def _signed(amount: str, currency: str) -> str:
    sign = "DBIT" if amount.startswith("-") else "CRDT"
    return f'<Amt Ccy="{currency}">{amount.lstrip("-")}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'


def _balance(kind: str, amount: str, currency: str) -> str:
    tp = f"<Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{tp}{_signed(amount, currency)}<Dt><Dt>2017-06-09</Dt></Dt></Bal>"


def _entry(line: Line, version: str, currency: str) -> str:
    status = f"<Sts>{line.status}</Sts>" if version == "02" else f"<Sts><Cd>{line.status}</Cd></Sts>"
    reversal = "<RvslInd>true</RvslInd>" if line.reversal else ""
    code = "<BkTxCd><Prtry><Cd>X</Cd></Prtry></BkTxCd>"
    details = "".join(_details(part, version, currency, bool(line.parts)) for part in line.parts or (line,))
    day = f"<BookgDt><Dt>{line.day}</Dt></BookgDt><ValDt><Dt>{line.day}</Dt></ValDt>"
    head = f"<Ntry>{_signed(line.amount, currency)}{reversal}{status}{day}<AcctSvcrRef>{line.number}</AcctSvcrRef>"
    return f"{head}{code}<NtryDtls>{details}</NtryDtls></Ntry>"


def _details(line: Line, version: str, currency: str, is_part: bool) -> str:
    other = "Cdtr" if line.amount.startswith("-") else "Dbtr"
    named = f"<Nm>{line.name}</Nm>" if version == "02" else f"<Pty><Nm>{line.name}</Nm></Pty>"
    named = f"<{other}>{named}</{other}>" if line.name else ""
    account = f"<{other}Acct><Id><IBAN>{line.iban}</IBAN></Id></{other}Acct>" if line.iban else ""
    parties = f"<RltdPties>{named}{account}</RltdPties>" if named or account else ""
    told = f"<RmtInf><Ustrd>{line.text}</Ustrd></RmtInf>" if line.text else ""
    amount = ""
    if is_part:
        plain = f'<Amt Ccy="{currency}">{line.amount.lstrip("-")}</Amt>'
        old = f"<AmtDtls><TxAmt>{plain}</TxAmt></AmtDtls>"
        amount = old if version == "02" else _signed(line.amount, currency)
    reference = f"<Refs><EndToEndId>{line.reference or 'NOTPROVIDED'}</EndToEndId></Refs>"
    return f"<TxDtls>{reference}{amount}{parties}{told}</TxDtls>"
