"""EVENTS tables out of plain columns, for sources whose rows come by the million: no object a row.

A source that reads so checks units and limits itself, with the same tables, and makes the same ids: ``content`` is
``vocabulary.identity.content_id`` of parts that are already joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.records.events import EVENTS

SEPARATOR = "\x1f"  # between the parts of an id
NOTHING = "\x00"  # a part that is None
_IDS, _WIDTH = ("event_id", "fact_id", "record_id"), 32  # columns of ids, and how many characters each has

blank = hashlib.blake2b(digest_size=16)  # copied where an id is made: half the time of a new one


def content(text: str) -> str:
    """The id of parts joined by ``SEPARATOR``, None written as ``NOTHING``."""
    digest = blank.copy()
    digest.update(text.encode())
    return digest.hexdigest()


def table(columns: Mapping[str, Sequence[Any] | str | None]) -> pa.Table:
    """An EVENTS table; a column given as one string or None holds that in every row. Instants are int µs, ids ``content``."""
    length = next(len(column) for column in columns.values() if column is not None and not isinstance(column, str))
    return pa.table([_array(field, columns.get(field.name), length) for field in EVENTS], EVENTS)


def _array(field: pa.Field, column: Sequence[Any] | str | None, length: int) -> pa.Array:
    kind = field.type
    if column is None:
        return pa.nulls(length, kind)
    if isinstance(column, str):
        return pa.repeat(pa.scalar(column, kind), length)
    if field.name in _IDS:
        return _ids(column)
    if pa.types.is_timestamp(kind):
        return pa.array(np.array(column, np.int64)).view(kind)
    if pa.types.is_int64(kind):
        return pa.array(np.array(column, np.int64))
    return pa.array(column, kind)


def _ids(column: Sequence[str]) -> pa.Array:
    """All of one width: a third of the time that strings of any width take."""
    text = "".join(column).encode()
    if len(text) != _WIDTH * len(column):
        raise ValueError(f"every id has {_WIDTH} characters")
    ends = np.arange(0, len(text) + 1, _WIDTH, dtype=np.int32)
    return pa.StringArray.from_buffers(len(column), pa.py_buffer(ends), pa.py_buffer(text))
