"""The shape of what an alliance file says of invoices, and of what late payment costs."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from alliance.file.values import Document, Name, Share, WaitDays, Word, positive, shaped

Prefix = Annotated[str, shaped(r"[A-Z0-9][A-Z0-9/-]{0,11}", "up to 12 capitals, digits, / and -, such as GRO-")]


class Invoice(Document):
    """What a merchant, or the operator, says on the invoices that are written for it here."""

    tax_rate: Share | None = None
    tax_id: Word | None = None
    address: Name | None = None
    prefix: Prefix | None = None


class Interest(Document):
    """Simple interest on what is paid late: a rate a year of so many days."""

    rate: Annotated[Share, AfterValidator(positive)]
    basis: Literal[360, 365] = 365
    grace_days: WaitDays = 0
