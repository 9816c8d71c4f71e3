"""The history of agreements: who did what about which version, and why."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.model import StepKind


@dataclass(frozen=True, slots=True)
class Act:
    """What is recorded of a step: the party (a merchant; the alliance for its operator), who acted, why, as of when."""

    party: uuid.UUID
    who: uuid.UUID
    why: str
    as_of: datetime


_RECORD = text("""
  WITH step AS (
    INSERT INTO agreement_step (agreement_id, version, seq, kind, party, who, why, as_of)
    SELECT asked.agreement_id, asked.version, coalesce(max(step.seq), 0) + 1, asked.kind, :party, :who, :why, :as_of
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:kinds AS text[]))
         AS asked (agreement_id, version, kind)
    LEFT JOIN agreement_step step USING (agreement_id, version)
    GROUP BY asked.agreement_id, asked.version, asked.kind
    RETURNING agreement_id, version, kind)
  INSERT INTO event (holder_id, id, kind, data, seen_by)
  SELECT agreement.id, uuidv7(), 'AGREEMENT_STEP',
         jsonb_build_object('agreement', agreement.id, 'version', version, 'step', kind,
                            'party', CAST(:party AS uuid), 'merchants', jsonb_build_array(merchant_a, merchant_b),
                            'asOf', CAST(:as_of_text AS text)),
         jsonb_build_array(merchant_a, merchant_b)
  FROM step JOIN agreement ON agreement.id = step.agreement_id
""")


async def record(session: AsyncSession, steps: Sequence[tuple[uuid.UUID, int, StepKind]], act: Act) -> None:
    """Add a step to the history of each of these versions, of an agreement by its id, and tell its merchants."""
    if not steps:
        return
    ids, versions, kinds = zip(*steps, strict=True)
    columns = {"ids": list(ids), "versions": list(versions), "kinds": [kind.value for kind in kinds]}
    about = {
        "party": act.party,
        "who": act.who,
        "why": act.why,
        "as_of": act.as_of,
        "as_of_text": act.as_of.isoformat(),
    }
    await session.execute(_RECORD, columns | about)
