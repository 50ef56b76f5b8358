"""One tick of ``check replay`` in a process of its own: ingest what became available since the last one, then tick.

python -m clinical_jepa.evaluate.checks.replay_child '{"source": …, "folder": …, "since": …, "until": …, "seed": …}'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.evaluate.checks.raw import Raw, as_batch, between, prepared, raw
from clinical_jepa.evaluate.checks.subject import ward
from clinical_jepa.monitor.tick import tick
from clinical_jepa.records.alerts import Acknowledgement
from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger


def main() -> None:
    """Does what the one argument asks for."""
    order = json.loads(sys.argv[1])
    rows = raw(Store.open(order["source"]))
    store = Store.open(Path(order["folder"]) / "store", create=True)
    ready, chance = prepared(rows), np.random.default_rng(order["seed"])
    for one in shuffled(rows, order["since"], order["until"], chance):
        store.append([one], mode="history", now=order["until"], prepare=ready)
    ledger = Ledger.open(Path(order["folder"]) / "ledger.sqlite")
    for answer in order["answers"]:
        ledger.acknowledge(Acknowledgement(**answer))
    tick(ward(store, _path(order["model"]), ledger, threshold=order["threshold"]), order["until"])


def shuffled(rows: Raw, since: int, until: int, chance: np.random.Generator) -> Iterator[SourceBatch]:
    """What became available in ``(since, until]``, each row once, in any order, cut into one to five batches."""
    tables = between(rows, since, until)
    count = int(chance.integers(1, 6))
    for number in range(count):
        part: dict[str, pa.Table] = {}
        for kind, table in tables.items():
            # the same draw for every batch of this call: a row belongs to one of them
            order = np.random.default_rng([table.num_rows, since % 2**32]).permutation(table.num_rows)
            part[kind] = table.take(chance.permutation(order[number::count]))
        yield as_batch(rows, part)


def _path(text: Any) -> Path | None:
    return None if text is None else Path(text)


if __name__ == "__main__":
    main()
