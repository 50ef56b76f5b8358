"""F: the K most salient arrivals of a stay, kept whole. The running top-K of (salience falling, order rising).

That order is total, so the same facts stay however the stream is cut, and slots are always written in it.
"""

from __future__ import annotations

import numpy as np


def update(rows: np.ndarray, *, row: np.ndarray, order: np.ndarray, salience: np.ndarray, entry: np.ndarray) -> None:
    """Keeps, in place, the top K of what ``rows`` (``state.layout`` records ``[R]``) hold and what is offered.

    ``row``, ``order`` (position in the row's stream), ``salience`` are ``[A]``; ``entry [A]`` has the fields
    ``fact_time`` and ``fact_vector`` of one slot.
    """
    offered = salience > rows["fact_salience"][row, -1]  # a tie with the last slot loses: that one came first
    row, order, salience, entry = row[offered], order[offered], salience[offered], entry[offered]
    for r in np.unique(row):
        mine = row == r
        record = rows[r]
        everything = {
            "fact_salience": np.concatenate([record["fact_salience"], salience[mine]]),
            "fact_order": np.concatenate([record["fact_order"], order[mine]]),
            "fact_time": np.concatenate([record["fact_time"], entry["fact_time"][mine]]),
            "fact_vector": np.concatenate([record["fact_vector"], entry["fact_vector"][mine]]),
        }
        best = np.lexsort((everything["fact_order"], -everything["fact_salience"]))[: len(record["fact_order"])]
        for name, values in everything.items():
            record[name] = values[best]
