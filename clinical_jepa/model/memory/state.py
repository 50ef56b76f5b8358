"""A patient's whole state as one fixed-size record, and as a blob that only its own model and subject can read back.

Blob: ``MAGIC``, version, model id, layout hash, subject, cursor, checksum of everything else, then the raw record.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.memory import registers
from clinical_jepa.records.errors import WrongModel
from clinical_jepa.records.forecasts import Memory
from clinical_jepa.records.instant import BEGINNING

MAGIC, VERSION = b"CJPM", 1
VITALS = 8  # forecasts of the newest step kept for ``surprise``
_HEAD = struct.Struct("<4sHxx32s16sqq16s")


@lru_cache
def layout(config: ModelConfig) -> np.dtype:
    """The record of one patient: clock, R, F, S and what was last expected."""
    return np.dtype(
        [
            ("cursor", "<i8"),
            ("origin", "<i8"),
            ("last_arrival", "<i8"),  # newest arrival that is no gap: what silence is measured from
            ("last_event", "<i8"),  # newest arrival, gaps included: what S decays from
            ("arrivals", "<i8"),
            ("registers", registers.LAYOUT, config.codes),
            ("fact_salience", "<f4", config.facts),
            ("fact_order", "<i8", config.facts),
            ("fact_time", "<i8", config.facts),
            ("fact_vector", "<f4", (config.facts, config.width)),
            ("fast", "<f4", (config.heads, config.key, config.value)),
            ("rate", "<f4", config.heads),  # decay an hour since the last event, set by that event
            ("expected", "<f4", (VITALS, 3)),  # low, median, high of the shortest horizon, NaN where none
        ]
    )


@lru_cache
def layout_hash(config: ModelConfig) -> bytes:
    """Sixteen bytes that change with any field of ``layout``."""
    return hashlib.blake2b(repr(layout(config).descr).encode(), digest_size=16).digest()


def empty(config: ModelConfig, rate: np.ndarray, count: int = 1) -> np.ndarray:
    """``count`` records of patients of whom nothing is known; ``rate [heads]`` is the decay before the first event."""
    rows = np.zeros(count, dtype=layout(config))
    for name in ("cursor", "origin", "last_arrival", "last_event"):
        rows[name] = BEGINNING
    registers.clear(rows["registers"])
    rows["fact_salience"] = -np.inf
    rows["fact_order"] = np.iinfo(np.int64).max
    rows["rate"] = rate
    rows["expected"] = np.nan
    return rows


def pack(row: np.ndarray, *, subject_id: int, model_id: str, config: ModelConfig) -> Memory:
    """The memory of one record."""
    cursor, body = int(row["cursor"]), row.tobytes()
    key = (MAGIC, VERSION, model_id.encode().ljust(32, b"\0"), layout_hash(config), subject_id, cursor)
    blob = _HEAD.pack(*key, _checksum(_HEAD.pack(*key, b""), body)) + body
    return Memory(subject_id=subject_id, model_id=model_id, cursor=cursor, blob=blob)


def unpack(memories: Sequence[Memory], *, model_id: str, config: ModelConfig) -> np.ndarray:
    """Records ``[N]``, writable. ``WrongModel`` for a blob of another model, subject or layout, or with changed bytes."""
    for memory in memories:
        _check(memory, model_id, config)
    return np.frombuffer(b"".join(memory.blob[_HEAD.size :] for memory in memories), dtype=layout(config)).copy()


def _check(memory: Memory, model_id: str, config: ModelConfig) -> None:
    blob = memory.blob
    if len(blob) < _HEAD.size or blob[:4] != MAGIC:
        raise _refused("it is not a memory of this program")
    magic, version, model, schema, subject, cursor, checksum = _HEAD.unpack_from(blob)
    if version != VERSION or schema != layout_hash(config) or len(blob) != _HEAD.size + layout(config).itemsize:
        raise _refused("it has another layout or version")
    key = (magic, version, model, schema, subject, cursor)
    if _checksum(_HEAD.pack(*key, b""), blob[_HEAD.size :]) != checksum:
        raise _refused("its bytes were changed")
    if model.rstrip(b"\0").decode() != model_id or memory.model_id != model_id:
        raise _refused("it belongs to another model")
    if subject != memory.subject_id or cursor != memory.cursor:
        raise _refused("it belongs to another subject or instant")


def _refused(why: str) -> WrongModel:
    return WrongModel(
        f"a patient's memory was refused: {why}. Nothing was changed; start from an empty memory and replay the stay"
    )


def _checksum(head: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=hashlib.blake2b(head).digest()[:32], digest_size=16).digest()
