"""The end of a week: points expire, and what merchants owe each other is closed, stated, confirmed, netted, settled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from alliance.runtime import Runtime
from domain.events.model import HeldJob
from server.replay.client import ApiFault, Client
from workers.actors.expiry import expire_range

STEPS = {"issueStatements": "CycleStepInput", "confirmStatement": "ConfirmStatementInput"}
STEPS |= {"netCycle": "CycleStepInput", "settleCycle": "CycleStepInput"}
RECEIPT = "RecordReceiptInput"


async def expire(runtime: Runtime, as_of: datetime) -> None:
    """Book as expired what is past its date: the nightly job's work, here once a week."""
    everyone = {"as_of": as_of.isoformat(), "first": str(UUID(int=0)), "before": None}
    async with runtime.database.session() as session:
        failed = await expire_range(runtime, session, [HeldJob(UUID(int=0), everyone, 1)])
    for fault in failed.values():
        raise fault


async def settle(client: Client, name: str, as_of: datetime) -> None:
    """Take the open cycle through all its steps; `name` makes their keys. Nothing to do if nothing was ever owed."""
    answer = await _step(client, "closeCycle", "CloseCycleInput", {"idempotencyKey": f"close-{name}"}, as_of)
    if answer.get("code") == "NOT_FOUND":
        return
    cycle, _ = _cycle(answer)
    status = ""
    for step, kind in STEPS.items():
        sent = {"idempotencyKey": f"{step}-{name}", "cycle": cycle}
        _, status = _cycle(await _step(client, step, kind, sent, as_of))
    if status == "SETTLING":
        sent = {"idempotencyKey": f"receipts-{name}", "cycle": cycle}
        _cycle(await _step(client, "recordReceipt", RECEIPT, sent, as_of))


async def _step(client: Client, step: str, kind: str, sent: Mapping[str, Any], as_of: datetime) -> dict[str, Any]:
    success = {"confirmStatement": "Confirmed", "issueStatements": "Issued"}.get(step)
    success = success or {"closeCycle": "Closed", "netCycle": "Netted", "settleCycle": "Settled"}.get(step)
    success = success or {"recordReceipt": "ReceiptRecorded"}[step]
    document = f"""mutation Step($input: {kind}!) {{
      {step}(input: $input) {{
        __typename ... on {success} {{ cycle {{ id status }} }} ... on UserError {{ code message }}
      }}
    }}"""
    return await client.call(document, {"input": sent}, as_of)


def _cycle(answer: Mapping[str, Any]) -> tuple[str, str]:
    """Id and status of the cycle that took a step. Raises ApiFault if it was refused."""
    if "cycle" not in answer:
        raise ApiFault(f"the cycle was not settled: {answer['message']} ({answer['code']})")
    return answer["cycle"]["id"], answer["cycle"]["status"]
