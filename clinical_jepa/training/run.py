"""``pretrain``: from a store to a model folder. Resumable, seeded, and silent but for one CSV file."""

from __future__ import annotations

import csv
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from clinical_jepa.model import checkpoint, normaliser
from clinical_jepa.model.normaliser import Normaliser
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.instant import END
from clinical_jepa.records.views import Arrivals, Slice
from clinical_jepa.timeline.slices import slices
from clinical_jepa.training import corpus as corpora
from clinical_jepa.training.config import TrainConfig
from clinical_jepa.training.corpus import Corpus
from clinical_jepa.training.data import Windows
from clinical_jepa.training.module import LOOK, Pretraining
from clinical_jepa.training.splits import Splits, split

__all__ = ["Source", "TrainConfig", "pretrain", "stays"]

VALIDATIONS = 4  # fixed batches
RUN = "run"  # folder of the last checkpoint and the log, in the model folder
Progress = Callable[[int, int], None]


class Source(Protocol):
    """What training asks of a store (``store.events.Store``)."""

    def extents(self, as_of: int) -> dict[int, tuple[int, int]]: ...
    def history(self, subject_id: int, *, as_of: int) -> Arrivals: ...
    def samples(self, reference: str) -> np.ndarray: ...


def stays(store: Source, subjects: Sequence[int]) -> Iterator[Slice]:
    """The whole stay of each subject, in order; subjects without any arrival are left out."""
    extents = store.extents(END)
    for subject in subjects:
        if subject in extents:
            first, last = extents[subject]
            arrivals = store.history(subject, as_of=last)
            yield slices(arrivals, subjects=[subject], since=first - 1, load=store.samples)[subject]


def pretrain(
    store: Source,
    out: Path,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
    *,
    subjects: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A report of the run; the model lies in ``out``. Trains on the training part of ``subjects`` (None: all of the
    store), validates on their tuning part and leaves the other parts alone. An interrupted run goes on where its
    last checkpoint stands, if the configuration and the subjects are the same. ``TrainingFailed`` writes no model;
    it is raised too where none of the subjects falls to the training part.
    """
    began = time.monotonic()
    parts = _parts(store.extents(END) if subjects is None else subjects)
    whole = list(stays(store, parts.train))
    fitted = normaliser.fit(whole)
    learn = corpora.build(whole, fitted, config)
    check = _to_check(store, parts.tuning, fitted, config)
    del whole
    model = checkpoint.untrained(config.model, fitted, config.seed)
    run = out / RUN
    prepared = time.monotonic()
    started = _start(run, config, model.identity, parts.train)
    module = Pretraining(model.network.train(), config)
    trainer = _fit(module, config, (learn, check), run, progress)
    trained = checkpoint.assemble(module.network.eval(), fitted)
    checkpoint.save(out, trained)
    return {
        "model_id": trained.identity,
        "subjects": len(learn.row_start) - 1,
        "tuning": 0 if check is None else len(check.row_start) - 1,
        "arrivals": len(learn.stream.time),
        "steps": trainer.global_step,
        "resumed_at": started,
        "seconds_preparing": round(prepared - began, 1),
        "seconds_training": round(time.monotonic() - prepared, 1),
        **_measured(run),
        "half_lives_h": [round(float(x), 2) for x in np.log(2) / module.network.base_rate().detach().numpy()],
    }


def _parts(subjects: Iterable[int]) -> Splits:
    """The split of these subjects; ``TrainingFailed`` where nobody falls to its training part."""
    parts = split(subjects)
    if not parts.train:
        count = len(parts.tuning) + len(parts.calibration) + len(parts.test)
        raise TrainingFailed(
            f"none of {count} patients falls to the training part, and the others are not for learning; "
            "no model was written. Ingest more patients"
        )
    return parts


def _to_check(store: Source, tuning: Sequence[int], fitted: Normaliser, config: TrainConfig) -> Corpus | None:
    """What training is validated on; None where no tuning patient has a record long enough to predict (images alone)."""
    try:
        return corpora.build(stays(store, tuning), fitted, config)
    except TrainingFailed:
        return None


def _start(run: Path, config: TrainConfig, identity: str, train: Sequence[int]) -> int:
    """The step a run goes on from. A run of another configuration or other patients is removed and begun anew."""
    run.mkdir(parents=True, exist_ok=True)
    about = json.dumps({"config": asdict(config), "start": identity, "subjects": len(train)}, default=str, indent=1)
    known = run / "about.json"
    last = run / "last.ckpt"
    if known.is_file() and known.read_text(encoding="utf-8") == about and last.is_file():
        return int(torch.load(last, weights_only=True, map_location="cpu")["global_step"])
    for file in (last, run / "metrics.csv"):
        file.unlink(missing_ok=True)
    known.write_text(about, encoding="utf-8")
    return 0


def _fit(
    module: Pretraining, config: TrainConfig, data: tuple[Corpus, Corpus | None], run: Path, progress: Progress | None
) -> pl.Trainer:
    learn, check = data
    last = run / "last.ckpt"
    first = int(torch.load(last, weights_only=True)["global_step"]) if last.is_file() else 0
    keep = ModelCheckpoint(dirpath=run, save_last=True, save_top_k=0, every_n_train_steps=config.check_every)
    callbacks: list[Callback] = [keep, _Watch(config, progress)]
    with _quiet(config.threads):
        trainer = pl.Trainer(
            max_steps=config.steps,
            accelerator="cpu",
            devices=1,
            logger=CSVLogger(run.parent, name=run.name, version=""),
            callbacks=callbacks,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            val_check_interval=None if check is None else min(config.check_every, max(config.steps - first, 1)),
            check_val_every_n_epoch=None,
            limit_val_batches=0 if check is None else 1.0,
            gradient_clip_val=1.0,
            log_every_n_steps=LOOK,
        )
        batches = DataLoader(Windows(learn, config, first=first, last=config.steps), batch_size=None)
        fixed = None
        if check is not None:
            fixed = DataLoader(Windows(check, config, first=0, last=VALIDATIONS, fixed=True), batch_size=None)
        trainer.fit(module, batches, fixed, ckpt_path=last if first else None, weights_only=True)
    return trainer


class _Watch(Callback):
    """Tells how far training is, and ends it when its time is up."""

    def __init__(self, config: TrainConfig, progress: Progress | None) -> None:
        self._config, self._progress, self._began = config, progress, time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self._progress is not None:
            self._progress(trainer.global_step, self._config.steps)
        if self._config.seconds and time.monotonic() - self._began > self._config.seconds:
            trainer.should_stop = True


def _measured(run: Path) -> dict[str, Any]:
    """First and last validation figures, and the last effective rank, from the log of the run."""
    path, found = run / "metrics.csv", dict[str, Any]()
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name.startswith(("val/", "monitor/")):
                    key = name.replace("/", "_")
                    found.setdefault(f"{key}_first", round(float(value), 4))
                    found[key] = round(float(value), 4)
    return found


@contextmanager
def _quiet(threads: int) -> Iterator[None]:
    """Lightning without its hints, tips and warnings, and torch on so many threads, for as long as it runs."""
    cores = torch.get_num_threads()
    torch.set_num_threads(threads)
    names = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "pytorch_lightning.utilities.rank_zero")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(cores)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
