"""Staff who are written to: the shape of `contacts`, of a merchant's settlement and of the alliance."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alliance.file.values import Document, distinct, each, refusal, shaped


def _once(contacts: "list[Contact]") -> "list[Contact]":
    if len({contact.email.casefold() for contact in contacts}) < len(contacts):
        raise refusal("an address is named once, with all it is for")
    return contacts


class Contact(Document):
    """An address, and what it is written to about."""

    email: Annotated[
        str,
        shaped(r"[^\s@<>()\",;:\\]+@[^\s@<>()\",;:\\]+\.[^\s@<>()\",;:\\.]+", "an e-mail address"),
        Field(max_length=254),
    ]
    for_: Annotated[
        list[Literal["settlement", "disputes", "payments", "reconciliation", "all"]],
        Field(min_length=1, alias="for"),
        AfterValidator(distinct),
    ]
    language: Literal["en", "zh-CN"] = "en"


Contacts = Annotated[list[Contact], each, Field(max_length=50), AfterValidator(_once)]
