"""Where the parts of a MEDS dataset lie, and which Parquet files hold events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_jepa.sources.unread import closed

DATA, METADATA = "data", "metadata"
CODES, DATASET, SPLITS = "codes.parquet", "dataset.json", "subject_splits.parquet"
NEEDED = ("subject_id", "time", "code")
VALUES = ("numeric_value", "value")  # the standard's name, and one that is met
OWN = "commit"  # a column of this system's own store: its segments are no dataset


def schema(path: Path) -> pa.Schema | None:
    """The columns of a Parquet file; None where it is none, or damaged."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None


def holds_events(path: Path) -> bool:
    """Whether a Parquet file has the columns of MEDS data, or does not let us see them."""
    columns = schema(path)
    if columns is None:
        return closed(path)
    return set(NEEDED) <= set(columns.names) and OWN not in columns.names


def shards(root: Path) -> list[Path]:
    """The data files of the datasets at or below ``root``: whatever lies in ``data/`` beside ``metadata/``, sound or not,
    and other Parquet files with the columns of MEDS data."""
    if root.is_file():
        return [root] if root.suffix == ".parquet" and holds_events(root) else []
    return [path for path in sorted(root.rglob("*.parquet")) if _declared(path, root) or holds_events(path)]


def _declared(path: Path, root: Path) -> bool:
    folder = dataset(path)
    return folder is not None and folder.is_relative_to(root) and (folder / METADATA / DATASET).is_file()


def dataset(path: Path) -> Path | None:
    """The folder of the dataset that a data file belongs to; None for a file that lies alone."""
    for parent in path.parents:
        if parent.name == DATA:
            return parent.parent
    return None


def described(folder: Path | None) -> dict[str, Any]:
    """``dataset.json``; empty where there is none that can be read."""
    if folder is None:
        return {}
    try:
        found = json.loads((folder / METADATA / DATASET).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def units(folder: Path | None) -> dict[str, str]:
    """The unit of each code for which ``codes.parquet`` states one."""
    path = None if folder is None else folder / METADATA / CODES
    columns = None if path is None else schema(path)
    if path is None or columns is None or not {"code", "unit"} <= set(columns.names):
        return {}
    table = pq.read_table(path, columns=["code", "unit"])
    rows = zip(table["code"].to_pylist(), table["unit"].to_pylist(), strict=True)
    return {code: unit for code, unit in rows if code and unit}
