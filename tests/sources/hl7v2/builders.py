"""Small HL7 messages and how to read them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.records.instant import iso
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.hl7v2 import reader

EXAMPLES = Path(reader.__file__).parent / "examples"
PID = "PID|1||H1^^^HOSP^MR||MADE^UP||19600102|F"
OBR = "OBR|1||F1|24326-1^Panel^LN|||20260105090000+0000"
HEART_RATE = "OBX|1|NM|8867-4^Heart rate^LN||80|/min|||||F|||20260105090000+0000"


def msh(kind: str = "ORU^R01", when: str = "20260105093000+0000", control: str = "C1", rest: str = "") -> str:
    return f"MSH|^~\\&|APP|FAC|||{when}||{kind}|{control}|P|2.5{rest}"


def message(*segments: str, codec: str = "utf-8", **header: str) -> bytes:
    """MSH, then the segments, as the standard ends them."""
    return "".join(f"{one}\r" for one in (msh(**header), *segments)).encode(codec)


def result(obx: str = HEART_RATE, **header: str) -> bytes:
    """A message with one result of patient H1 in order F1."""
    return message(PID, OBR, obx, **header)


def obx(value: str, unit: str = "/min", code: str = "8867-4^Heart rate^LN", kind: str = "NM", **fields: str) -> str:
    """``sub``: OBX-4, ``flags``: OBX-8, ``status``: OBX-11, ``when``: OBX-14."""
    sub, flags, status = fields.get("sub", ""), fields.get("flags", ""), fields.get("status", "F")
    when = fields.get("when", "20260105090000+0000")
    return f"OBX|1|{kind}|{code}|{sub}|{value}|{unit}||{flags}|||{status}|||{when}"


def adt(event: str, visit: str = "", evn: str = "20260105080000+0000", person: str = PID, **header: str) -> bytes:
    """``visit`` is PV1 as written, ``evn`` the rest of EVN from EVN-2."""
    return message(f"EVN|{event}|{evn}", person, *([visit] if visit else []), kind=f"ADT^{event}", **header)


def pv1(**fields: str) -> str:
    """PV1 from ``f3="ICU^R1^B4"`` and the like."""
    numbers = {int(name[1:]): text for name, text in fields.items()}
    return "PV1|" + "|".join(numbers.get(number, "") for number in range(1, max(numbers) + 1))


def read(raw: bytes | Path, **options: Any) -> SourceBatch:
    """All of some bytes, or of a file or folder, as one batch."""
    if isinstance(raw, bytes):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "one.hl7").write_bytes(raw)
            return read(Path(folder), **options)
    root = raw if raw.is_dir() else raw.parent
    context = ReadContext(root=root, **options)
    batches = [batch for unit in reader.find(raw) for batch in reader.read(unit, context)]
    ignored: dict[str, int] = {}
    for batch in batches:
        for kind, count in batch.ignored.items():
            ignored[kind] = ignored.get(kind, 0) + count
    return SourceBatch(
        events=pa.concat_tables([batch.events for batch in batches]),
        identities=tuple(one for batch in batches for one in batch.identities),
        rejections=tuple(one for batch in batches for one in batch.rejections),
        ignored=ignored,
        links=tuple(one for batch in batches for one in batch.links),
        signals=tuple(one for batch in batches for one in batch.signals),
        retractions=tuple(one for batch in batches for one in batch.retractions),
    )


def facts(batch: SourceBatch) -> set[tuple[object, ...]]:
    """(code, time, available, basis, value or text, status) of every row, times as text."""
    found = set()
    moments = {name: batch.events[name].cast(pa.int64()).to_pylist() for name in ("time", "available_time")}
    for number, row in enumerate(batch.events.to_pylist()):
        time, available = moments["time"][number], moments["available_time"][number]
        said = row["text_value"] if row["numeric_value"] is None else round(row["numeric_value"], 3)
        found.add(
            (
                row["code"],
                None if time is None else iso(time),
                iso(available),
                row["available_basis"],
                said,
                row["status"],
            )
        )
    return found


def one_fact(raw: bytes, **options: Any) -> tuple[object, ...]:
    """The single row of some bytes, of which nothing is refused."""
    batch = read(raw, **options)
    assert not batch.rejections, batch.rejections
    (fact,) = facts(batch)
    return fact


def rejection(raw: bytes, **options: Any) -> Rejection:
    """The single refusal of some bytes, of which nothing is kept."""
    batch = read(raw, **options)
    assert batch.events.num_rows == 0
    (refused,) = batch.rejections
    return refused
