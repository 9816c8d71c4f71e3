"""XML of strangers, read safely, and against the schemas that ISO 20022 publishes.

Nothing is fetched, no entity is expanded, and what declares a document type at all is refused.
"""

import re
from functools import cache
from importlib import resources
from typing import Any

from lxml import etree

MOST_BYTES = 64 * 2**20
_ELEMENT = re.compile(r"Element '(?:\{[^}]*\})?(\w+)'")


class BadXml(ValueError):
    """Not well-formed, not valid, or not safe; the message says where and quotes no content."""


def parse(content: bytes) -> Any:
    """The root of a document. Raises BadXml."""
    if len(content) > MOST_BYTES:
        raise BadXml(f"it is longer than {MOST_BYTES} bytes")
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as fault:
        raise BadXml(f"it is not well-formed XML (line {fault.lineno})") from None
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise BadXml("a document type declaration is not accepted")
    return root


@cache
def schema(message: str) -> Any:
    """The schema of a message, such as camt.053.001.08. Raises BadXml for one that is not read here."""
    source = resources.files("alliance.banking.schemas") / f"{message}.xsd"
    if not source.is_file():
        raise BadXml("it is a message that is not read here")
    return etree.XMLSchema(etree.fromstring(source.read_bytes()))


def validate(root: Any, message: str) -> None:
    """Raises BadXml unless the document is valid by the schema of the message."""
    wanted = schema(message)
    if not wanted.validate(root):
        first = wanted.error_log[0]
        element = _ELEMENT.match(first.message)  # what follows may quote what was written there
        raise BadXml(f"{element[1] if element else 'it'} (line {first.line}) is not as {message} has it")
