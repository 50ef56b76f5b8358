"""The rows a fit was made from, kept beside the model, so that baselines learn from the same ones without a second pass.

Register features that are the same in every row are left out and put back as that number.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from clinical_jepa.records.forecasts import Task
from clinical_jepa.records.instant import END
from clinical_jepa.store.events import Store
from clinical_jepa.training.anchors import Anchors
from clinical_jepa.vocabulary.identity import content_id

FILE = "anchors.safetensors"


def basis(identity: str, store: Store, task: Task, names: tuple[str, ...]) -> str:
    """What rows depend on: the weights, the store's content, the task, the features."""
    extents = sorted(store.extents(END).items())
    return content_id(identity, store.watermark, extents, json.dumps(asdict(task), sort_keys=True), names)


def save(folder: Path, rows: Anchors, basis_id: str) -> None:
    """Writes the rows into a model folder under the id of their basis."""
    from safetensors.numpy import save_file

    arrays = {f.name: np.ascontiguousarray(getattr(rows, f.name)) for f in fields(rows) if f.name != "names"}
    registers = arrays.pop("registers")
    moving = np.flatnonzero((registers != registers[:1]).any(axis=0))
    arrays |= {"moving": moving, "first": registers[0], "registers": np.ascontiguousarray(registers[:, moving])}
    part = folder / f"{FILE}.part"
    save_file(arrays, part, metadata={"basis": basis_id, "names": json.dumps(rows.names)})
    part.replace(folder / FILE)


def load(folder: Path, basis_id: str) -> Anchors | None:
    """The kept rows, or None where there are none of this basis."""
    from safetensors import safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
        if about["basis"] != basis_id:
            return None
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    registers = np.repeat(arrays.pop("first")[None], len(arrays["subject"]), axis=0)
    registers[:, arrays.pop("moving")] = arrays["registers"]
    return Anchors(**{**arrays, "registers": registers, "names": tuple(json.loads(about["names"]))})
