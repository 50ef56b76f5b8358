"""All rows of a store, versions and retractions included, and stores made of them: what the checks shuffle and scramble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Identity, ImageItem, Retraction, SignalPiece, SourceBatch, SubjectLink
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.events import Store
from clinical_jepa.store.segments import SCHEMAS, TIMED, read_segments, write_segment

Change = TypeVar("Change", Retraction, SubjectLink)
CHANGES = ("retractions", "links")


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Every kind of row of a store, with the number of its commit; ``load`` gives the arrays they point to."""

    root: Path
    tables: Mapping[str, pa.Table]
    load: Callable[[str], np.ndarray]


def raw(store: Store) -> Raw:
    """The rows of a store as of its newest commit."""
    manifest = manifests.read(store.path)
    tables = {kind: read_segments(store.path, kind, manifest.of(kind)) for kind in SCHEMAS}
    return Raw(root=store.path, tables=tables, load=store.samples)


def store_of(rows: Raw, folder: Path) -> Store:
    """A store in ``folder`` with these rows; arrays are those of the original."""
    Store.open(folder, create=True)
    for path in (rows.root / "arrays").iterdir():
        (folder / "arrays" / path.name).symlink_to(path.resolve())
    segments = [write_segment(folder, kind, "rows", table) for kind, table in rows.tables.items() if table.num_rows]
    kept = manifests.read(rows.root)
    manifests.write(folder, replace(kept, segments=tuple(segments), index={}))
    return Store.open(folder)


def available(table: pa.Table) -> np.ndarray:
    """``available_time`` as int64 µs, ``[N]``."""
    return np.asarray(table["available_time"].cast(pa.int64()).to_numpy())


def between(rows: Raw, since: int, until: int) -> dict[str, pa.Table]:
    """The timed rows and the changes with ``since < available_time <= until``."""
    found = {}
    for kind in (*TIMED, *CHANGES):
        at = available(rows.tables[kind])
        found[kind] = rows.tables[kind].filter(pa.array((at > since) & (at <= until)))
    return found


def as_batch(rows: Raw, tables: Mapping[str, pa.Table]) -> SourceBatch:
    """The rows as a source would hand them over."""
    subjects = {subject for kind in TIMED for subject in pc.unique(tables[kind]["subject_id"]).to_pylist()}
    known = rows.tables["crosswalk"].drop_columns(["commit"]).to_pylist()
    return SourceBatch(
        events=tables["events"].drop_columns(["commit"]),
        identities=tuple(Identity(**row) for row in known if row["subject_id"] in subjects),
        signals=tuple(_piece(row, rows.load) for row in _plain(tables["signals"])),
        images=tuple(_image(row, rows.load) for row in _plain(tables["images"])),
        retractions=tuple(_as(Retraction, row) for row in _plain(tables["retractions"])),
        links=tuple(_as(SubjectLink, row) for row in _plain(tables["links"])),
    )


def prepared(rows: Raw) -> Callable[[np.ndarray, tuple[float, float] | None], np.ndarray]:
    """A ``prepare`` that answers with what the original store holds for the same picture."""
    kept = {
        rows.load(row["reference"]).tobytes(): np.asarray(rows.load(row["prepared"])).reshape(64, 64)
        for row in rows.tables["images"].select(["reference", "prepared"]).to_pylist()
    }
    return lambda pixels, spacing: kept[np.ascontiguousarray(pixels, np.float32).tobytes()]


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as dicts, instants as int µs."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.int64()))
    return list(table.to_pylist())


def _as(what: type[Change], row: Mapping[str, Any]) -> Change:
    return what(**{name: row[name] for name in what.__dataclass_fields__})


def _piece(row: Mapping[str, Any], load: Callable[[str], np.ndarray]) -> SignalPiece:
    names = set(SignalPiece.__dataclass_fields__) - {"samples"}
    return SignalPiece(**{name: row[name] for name in names}, samples=np.array(load(row["reference"])))


def _image(row: Mapping[str, Any], load: Callable[[str], np.ndarray]) -> ImageItem:
    names = set(ImageItem.__dataclass_fields__) - {"pixels", "spacing_mm"}
    spacing = None if row["spacing_row_mm"] is None else (row["spacing_row_mm"], row["spacing_column_mm"])
    pixels = np.array(load(row["reference"])).reshape(row["rows"], row["columns"])
    return ImageItem(**{name: row[name] for name in names}, spacing_mm=spacing, pixels=pixels)
