"""The command `tessera`: what there is, and how a command's end becomes an exit code."""

import sys

import orjson
import typer

from server.commands import (
    access,
    agreement,
    approvals,
    archive,
    backup,
    balances,
    bench,
    book,
    bookings,
    breakage,
    breaks,
    calendar,
    claims,
    codes,
    collateral,
    cycle,
    default,
    duplicates,
    exposure,
    identifying,
    importing,
    invoices,
    jobs,
    journal,
    keys,
    liability,
    log,
    member,
    merchant,
    netting,
    notices,
    notify,
    payments,
    positions,
    privacy,
    proving,
    reads,
    receipts,
    reconcile,
    replay,
    report,
    reporting,
    rerating,
    rights,
    roles,
    runs,
    statement,
    subsidies,
    tagging,
    up,
    webhooks,
)
from server.commands.common import DONE, NO, UNAVAILABLE, Failure

app = typer.Typer(
    help="Tessera: one member, one ID; points and rights honoured across brands, and clean books between them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(roles.api)
app.command()(roles.worker)
app.command()(roles.relay)
app.command()(roles.scheduler)
app.command("migrate")(roles.migrate_)
app.command()(book.apply)
app.command()(book.export)
app.command()(proving.verify)
app.command()(proving.release)
app.command()(proving.repair)
app.command("repair-positions")(positions.repair_positions)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(archive.archive)
app.command()(log.proof)
app.add_typer(log.log, name="log")
app.add_typer(keys.keys, name="keys")
app.add_typer(codes.codes, name="codes")
app.add_typer(importing.importing, name="import")
app.add_typer(access.client, name="client")
app.command()(access.token)
app.command()(replay.replay)
app.command()(reconcile.reconcile)
cycle.cycle.command("report")(netting.netting_report)
cycle.cycle.command("rerate")(rerating.rerate)
cycle.cycle.command("rerates")(rerating.rerates)
cycle.cycle.command("extend")(calendar.extend)
app.command("calendar")(calendar.calendar)
app.add_typer(agreement.agreement, name="agreement")
app.add_typer(approvals.approvals, name="approvals")
app.add_typer(breaks.breaks, name="breaks")
app.add_typer(claims.claims, name="claims")
app.add_typer(collateral.collateral, name="collateral")
app.add_typer(default.default, name="default")
app.add_typer(cycle.cycle, name="cycle")
member.member.command()(identifying.link)
member.member.command()(identifying.verify)
member.member.command()(identifying.unlink)
member.member.command()(identifying.numbers)
member.member.command()(privacy.erase)
member.member.command()(privacy.export)
member.member.command()(privacy.hold)
member.member.command()(privacy.release)
member.member.command("tag")(tagging.tag_members)
app.add_typer(member.member, name="member")
app.add_typer(duplicates.duplicates, name="duplicates")
app.add_typer(merchant.merchant, name="merchant")
app.add_typer(statement.statement, name="statement")
app.add_typer(invoices.invoice, name="invoice")
app.add_typer(payments.payments, name="payments")
app.add_typer(receipts.receipts, name="receipts")
report.report.command()(balances.balances)
report.report.command()(exposure.exposure)
report.report.command()(subsidies.subsidies)
report.report.command("cut-offs")(reporting.cut_offs)
report.report.command()(reporting.ageing)
report.report.command()(reporting.settlement)
report.report.command()(reporting.zero)
report.report.command()(reporting.obligations)
report.report.command()(breakage.breakage)
report.report.command()(liability.liability)
report.report.command()(reads.reads)
report.report.command()(journal.journal)
app.add_typer(report.report, name="report")
jobs.jobs.command()(runs.undo)
app.add_typer(jobs.jobs, name="jobs")
app.add_typer(runs.runs, name="runs")
app.add_typer(notices.notice, name="notice")
rights.right.command()(bookings.reserve)
rights.right.command()(bookings.release)
rights.right.command()(bookings.restore)
app.add_typer(rights.right, name="right")
app.add_typer(notify.notify, name="notify")
app.add_typer(webhooks.webhook, name="webhook")
app.command()(bench.bench)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the answer is no, 2 wrong use, 3 a dependency is not there."""
    try:
        app()
    except Failure as failure:
        _end(failure.exit_code, failure.code, str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        _explain(error)


def _explain(error: Exception) -> None:
    """End with what a rule refused, or with what is not there. Anything else is a bug, and raised again."""
    import asyncpg
    import redis
    from sqlalchemy.exc import DBAPIError

    from domain.errors import Refusal

    if isinstance(error, Refusal):
        path = f" ({'.'.join(error.path)})" if error.path else ""
        _end(NO, error.code, f"{error.message()}{path}")
    if isinstance(error, ConnectionError | asyncpg.PostgresConnectionError | DBAPIError | redis.RedisError):
        _end(UNAVAILABLE, "UNAVAILABLE", f"a server went away: {error}".partition("\n")[0])
    raise error


def _end(exit_code: int, code: str, message: str) -> None:
    if "--json" in sys.argv and exit_code != DONE:
        print(orjson.dumps({"error": {"code": code, "message": message}}).decode())
    print(f"tessera: {message}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
