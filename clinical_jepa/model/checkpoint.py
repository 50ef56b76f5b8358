"""A model folder: ``model.safetensors`` (weights and normaliser) and ``model.json`` (sizes, code map, identity).

A model made for another code list is refused: its ids would mean other things.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch

from clinical_jepa.model.config import ModelConfig, from_json
from clinical_jepa.model.network import Model, WorldModel
from clinical_jepa.model.normaliser import Normaliser
from clinical_jepa.records.errors import BadRequest, WrongModel
from clinical_jepa.vocabulary.codes import code_map_hash

FORMAT = 1
WEIGHTS, ABOUT = "model.safetensors", "model.json"
_PREFIX = "normaliser."


def untrained(config: ModelConfig, normaliser: Normaliser, seed: int) -> Model:
    """A model of random weights: where training starts, and the row every probe is compared with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = WorldModel(config).eval()
    return assemble(network, normaliser)


def assemble(network: WorldModel, normaliser: Normaliser) -> Model:
    """A network and its normaliser as a model, with the identity of exactly these numbers."""
    tensors = _tensors(network, normaliser)
    return Model(
        network=network, normaliser=normaliser, config=network.config, identity=_identity(network.config, tensors)
    )


def save(folder: Path, model: Model) -> None:
    """Writes a model folder; each file appears whole or not at all."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "format": FORMAT,
        "model_id": model.identity,
        "code_map_hash": code_map_hash(),
        "config": asdict(model.config),
    }
    save_file(_tensors(model.network, model.normaliser), folder / (WEIGHTS + ".part"))
    (folder / (ABOUT + ".part")).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    for name in (WEIGHTS, ABOUT):
        (folder / (name + ".part")).replace(folder / name)


def load(folder: Path) -> Model:
    """The model of a folder, in evaluation mode. ``BadRequest`` where there is none; ``WrongModel`` where its files do not fit
    this program or each other.
    """
    from safetensors.torch import load_file

    if not (folder / ABOUT).is_file() or not (folder / WEIGHTS).is_file():
        raise BadRequest(f"{folder}: no model here ({ABOUT} and {WEIGHTS} are needed); run pretrain first")
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise WrongModel(f"{folder}: model format {about.get('format')}, this program reads {FORMAT}; pretrain again")
    if about["code_map_hash"] != code_map_hash():
        raise WrongModel(
            f"{folder}: made with code map {about['code_map_hash']}, this program has {code_map_hash()}; "
            "nothing was loaded. Pretrain again, or use the program the model was made with"
        )
    tensors = load_file(folder / WEIGHTS)
    config = from_json(about["config"])
    if _identity(config, tensors) != about["model_id"]:
        raise WrongModel(f"{folder}: weights and {ABOUT} do not belong together; nothing was loaded")
    normaliser = Normaliser(**{f.name: tensors.pop(_PREFIX + f.name).numpy() for f in fields(Normaliser)})
    network = WorldModel(config)
    network.load_state_dict(tensors)
    return Model(network=network.eval(), normaliser=normaliser, config=config, identity=about["model_id"])


def _tensors(network: WorldModel, normaliser: Normaliser) -> dict[str, torch.Tensor]:
    tensors = {name: x.detach().cpu().contiguous() for name, x in network.state_dict().items()}
    for field in fields(normaliser):
        value = np.ascontiguousarray(getattr(normaliser, field.name), dtype=np.float32)
        tensors[_PREFIX + field.name] = torch.from_numpy(value)
    return tensors


def _identity(config: ModelConfig, tensors: dict[str, torch.Tensor]) -> str:
    """Thirty-two hex characters of sizes, code map and every weight."""
    digest = hashlib.blake2b(json.dumps([FORMAT, code_map_hash(), asdict(config)]).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(f"{name}{tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
