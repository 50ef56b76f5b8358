"""Arrow columns as the arrays that slices and windows are made of."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from clinical_jepa.vocabulary.codes import code_id

TEXT_BUCKETS = 62


def instants(table: pa.Table, name: str) -> np.ndarray:
    """int64 µs ``[N]``; a null time (a static fact) becomes the row's available time."""
    column = table[name].cast(pa.int64())
    if column.null_count:
        column = pa.chunked_array(
            [np.where(column.is_null(), table["available_time"].cast(pa.int64()), column.fill_null(0))]
        )
    return np.asarray(column.to_numpy(), np.int64)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """float32 ``[N]``, NaN where null."""
    column = table[name].cast(pa.float32())
    return np.asarray(column.fill_null(np.nan).to_numpy(), np.float32)


def code_ids(table: pa.Table) -> np.ndarray:
    """int32 ``[N]``: ids of ``vocabulary.codes``."""
    return _by_value(table["code"], code_id)


def text_ids(table: pa.Table) -> np.ndarray:
    """int32 ``[N]``: 0 where there is no text, else 1 + a stable hash of it modulo ``TEXT_BUCKETS``."""
    return _by_value(table["text_value"], _text_id)


def _text_id(text: str | None) -> int:
    if not text:
        return 0
    return 1 + int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % TEXT_BUCKETS


def _by_value(column: pa.ChunkedArray, number: object) -> np.ndarray:
    """``number`` of each distinct value, computed once."""
    coded = column.combine_chunks().dictionary_encode()
    of_value = np.array([number(value) for value in coded.dictionary.to_pylist()] + [0], np.int32)  # type: ignore[operator]
    return of_value[np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)]
