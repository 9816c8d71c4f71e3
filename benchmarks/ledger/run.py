"""The parts of `tessera bench ledger`."""

from benchmarks.ledger import batches, calls, cards, night, weight
from benchmarks.parts import Parts

PARTS: Parts = {
    "calls": calls.measure,
    "engine": batches.against_copy,
    "wallets": batches.against_many,
    "bytes": weight.measure,
    "expiry": night.measure,
    "cards": cards.measure,
}
