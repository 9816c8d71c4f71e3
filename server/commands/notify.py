"""`tessera notify`: what members would be told, and what became of telling them; and of mails to staff."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime
    from domain.programs.notifying import NotificationTerms

notify = typer.Typer(help="Messages to members, mails to staff.", no_args_is_help=True)
SHOWN = ("member", "merchant", "kind", "channel", "state", "attempts", "why")


@notify.command()
def preview(
    merchant: Annotated[str, typer.Option(help="The code of the merchant that writes.")],
    kind: Annotated[str, typer.Option(help="Such as tier_changed.")],
    channel: Annotated[str, typer.Option(help="email or sms.")] = "email",
    language: Annotated[str | None, typer.Option(help="Of the member, such as zh-CN [default: not known].")] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="An alliance file that is not applied yet.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show a text as members would get it, its gaps filled with examples."""
    from domain.contacts.model import ContactChannel
    from domain.messages.model import MessageKind
    from domain.messages.texts import preview as filled

    try:
        what, by = MessageKind(kind.upper()), ContactChannel(channel.upper())
    except ValueError:
        kinds, channels = (", ".join(one.value.lower() for one in enum) for enum in (MessageKind, ContactChannel))
        raise WrongUse(f"kinds are {kinds}; channels are {channels}") from None
    spoken, parts = filled(_terms_in(file, merchant) if file else _terms_of(merchant), what, by, language)
    data = {"merchant": merchant, "kind": kind, "channel": channel, "language": spoken} | parts
    answer(data, json, lambda console: _show(console, spoken, parts))


@notify.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only these, such as FAILED.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List messages, newest first. Neither texts nor addresses are kept."""
    with servers("tessera notify list") as settings:
        from domain.messages.queries import listed
        from domain.pools.queries import numbers

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                rows = await listed(session, state and state.upper(), None, first)
                people = await numbers(session, [row.holder_id for row in rows])
            return [
                {
                    "id": str(row.id),
                    "member": people.get(row.holder_id),
                    "merchant": runtime.catalogue.merchants_by_id[row.merchant_id].code,
                    "kind": row.kind,
                    "channel": row.channel,
                    "state": row.state,
                    "attempts": row.attempts,
                    "dueAt": row.due_at.isoformat(),
                    "deliveredAt": row.delivered_at and row.delivered_at.isoformat(),
                    "proof": row.provider_id,
                    "why": row.why,
                }
                for row in rows
            ]

        rows = with_runtime(settings, read)
    shown = [{name: row[name] for name in SHOWN} for row in rows]
    answer({"messages": rows}, json, lambda console: show_rows(console, SHOWN, shown))


@notify.command()
def staff(
    state: Annotated[str | None, typer.Option(help="Only these, such as FAILED.")] = None,
    merchant: Annotated[str | None, typer.Option(help="To the contacts of one merchant.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List mails to staff, newest first. Neither texts nor addresses are kept: `contact` tells one from another."""
    with servers("tessera notify staff") as settings:
        from alliance.staff.queries import listed
        from domain.errors import NotFound

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            catalogue = runtime.catalogue
            if merchant is not None and merchant not in catalogue.merchants:
                raise NotFound(what=f"merchant {merchant!r}")
            party_id = None if merchant is None else catalogue.merchants[merchant].id
            async with runtime.database.session() as session:
                rows = await listed(session, state and state.upper(), party_id, first)
            codes = {id_: one.code for id_, one in catalogue.merchants_by_id.items()}
            return [
                {
                    "id": str(row.id),
                    "to": codes.get(row.party_id, catalogue.alliance.code),
                    "contact": row.contact,
                    "kind": row.kind,
                    "count": row.count,
                    "state": row.state,
                    "attempts": row.attempts,
                    "sentAt": row.sent_at and row.sent_at.isoformat(),
                    "proof": row.proof,
                    "why": row.why,
                }
                for row in rows
            ]

        rows = with_runtime(settings, read)
    columns = ("to", "kind", "count", "state", "attempts", "sentAt", "why")
    shown = [{name: "" if row[name] is None else row[name] for name in columns} for row in rows]
    answer({"mails": rows}, json, lambda console: show_rows(console, columns, shown))


def _terms_of(merchant: str) -> "NotificationTerms":
    """As the applied file has them."""
    with servers("tessera notify preview") as settings:
        from domain.programs.notifying import NotificationTerms

        async def read(runtime: "Runtime") -> "NotificationTerms":
            known = runtime.catalogue.merchants.get(merchant)
            if known is None:
                raise Failure(f"there is no merchant {merchant!r}", exit_code=NO, code="NOT_FOUND")
            return known.notifications or NotificationTerms((), frozenset())

        return with_runtime(settings, read)


def _terms_in(file: Path, merchant: str) -> "NotificationTerms":
    """As a file has them. Raises Failure for a file that is not sound, or has no such merchant."""
    from alliance.file import FileErrors, parse
    from domain.programs.notifying import NotificationTerms, notification_terms

    try:
        document = parse(file.read_text(encoding="utf-8"), str(file)).document
    except FileErrors as errors:
        raise Failure(str(errors), exit_code=NO, code="INVALID_FILE") from None
    found = next((one for one in document.merchants if one.code == merchant), None)
    if found is None:
        raise Failure(f"there is no merchant {merchant!r} in {file}", exit_code=NO, code="NOT_FOUND")
    stored = None if found.notifications is None else found.notifications.dump()
    return notification_terms(stored) or NotificationTerms((), frozenset())


def _show(console: Console, language: str, parts: dict[str, str]) -> None:
    console.print(f"language: {language}")
    for name, content in parts.items():
        console.print(f"--- {name}", content, sep="\n", markup=False)
