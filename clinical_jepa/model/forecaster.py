"""A model that carries a memory of each patient forward and says what it expects: the only served entry to ``model``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from clinical_jepa.model import checkpoint, heads, serving
from clinical_jepa.model.batch import stream
from clinical_jepa.model.heads import Heads, load_heads
from clinical_jepa.model.memory import registers, state
from clinical_jepa.model.network import Model
from clinical_jepa.model.threads import one_thread
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.forecasts import Memory, Reason, Step
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.records.views import Slice
from clinical_jepa.vocabulary.codes import by_code, codes

REASONS = 5


@dataclass(frozen=True, kw_only=True)
class Features:
    """What heads are fitted on, for N memories at their cursors.

    ``z [N, width]``, ``registers [N, F]`` float32 with ``names`` for both side by side (``inputs``);
    ``values [N, codes]`` the newest value of each code, a monitor's counting for its charted code, NaN where none;
    ``ages [N, codes]`` its age in µs, -1 where none.
    """

    z: np.ndarray
    registers: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    ages: np.ndarray

    @property
    def inputs(self) -> np.ndarray:
        """``[z, registers]``, float32 ``[N, D]``."""
        return np.concatenate([self.z, self.registers], axis=1)


class JepaForecaster:
    """Implements ``forecast.forecaster.Forecaster``. Without heads: score 0, no quantiles (NaN), no reasons."""

    def __init__(self, model: Model, fitted: Heads | None = None) -> None:
        self._model, self._heads = model, fitted
        self._parents = _parents(model.config.codes)
        self._rate = model.network.base_rate().detach().numpy()
        self.model_id = model.identity if fitted is None else _with_heads(model.identity, fitted)
        width = model.config.width
        self.names = tuple(f"z/{i}" for i in range(width)) + registers.names(model.config.codes)
        if fitted is not None and fitted.inputs != self.names:
            raise BadRequest("heads were fitted on other inputs than this model gives; fit them again")

    def initial(self, subject_id: int) -> Memory:
        """The memory of a patient of whom nothing is known; its cursor lies before any instant."""
        row = state.empty(self._model.config, self._rate)[0]
        return state.pack(row, subject_id=subject_id, model_id=self.model_id, config=self._model.config)

    def step(self, memories: Sequence[Memory], slices: Sequence[Slice]) -> list[Step]:
        """One ``Step`` a pair, in order. ``WrongModel`` for a foreign memory, ``BadRequest`` for a slice that does not
        begin where its memory ends."""
        if not memories:
            return []
        rows = self._rows(memories)
        seen_until = _seen_until(rows, self._parents)
        self._consume(rows, memories, slices)
        known = self._features(rows) if self._heads is not None else None
        answers = _Answers.empty(len(rows)) if known is None else self._answer(rows, known, seen_until)
        return [
            Step(
                memory=state.pack(
                    rows[i], subject_id=memories[i].subject_id, model_id=self.model_id, config=self._model.config
                ),
                score=float(answers.score[i]),
                quantiles=answers.quantiles[i],
                novelty=float(answers.novelty[i]),
                surprise=float(answers.surprise[i]),
                reasons=answers.reasons[i],
            )
            for i in range(len(rows))
        ]

    def features(self, memories: Sequence[Memory]) -> Features:
        """z, register features and newest values of memories as of their cursors."""
        return self._features(self._rows(memories))

    def _rows(self, memories: Sequence[Memory]) -> np.ndarray:
        return state.unpack(memories, model_id=self.model_id, config=self._model.config)

    def _consume(self, rows: np.ndarray, memories: Sequence[Memory], slices: Sequence[Slice]) -> None:
        for memory, piece in zip(memories, slices, strict=True):
            if memory.subject_id != piece.subject_id or (memory.cursor not in (BEGINNING, piece.since)):
                raise BadRequest(
                    "a slice does not continue its memory: another subject, or another since than its cursor"
                )
        arrivals = stream(slices, last_arrival=rows["last_arrival"])
        registers.update(
            rows["registers"],
            row=arrivals.row[arrivals.item_arrival],
            code=arrivals.code,
            time=arrivals.item_time,
            value=arrivals.value,
        )
        with one_thread(), torch.inference_mode():
            serving.remember(rows, arrivals, serving.encode(self._model, arrivals))
        rows["origin"] = [piece.origin for piece in slices]
        rows["cursor"] = [piece.now for piece in slices]

    def _features(self, rows: np.ndarray) -> Features:
        now, normaliser = rows["cursor"], self._model.normaliser
        found = registers.features(
            rows["registers"], origin=rows["origin"], now=now, center=normaliser.center, scale=normaliser.scale
        )
        values, at = registers.group_values(rows["registers"], self._parents)
        with one_thread(), torch.inference_mode():
            z = serving.state_vectors(self._model, rows, found, now)
        ages = np.where(at == registers.NOT_SEEN, -1, np.maximum(now[:, None] - at, 0))
        return Features(z=z, registers=found, names=self.names, values=values, ages=ages)

    def _answer(self, rows: np.ndarray, known: Features, seen_until: np.ndarray) -> _Answers:
        assert self._heads is not None
        fitted, vitals = self._heads, [by_code()[code].id for code in self._heads.vitals]
        x, newest = heads.standardise(fitted, known.inputs), known.values[:, vitals]
        bands = heads.quantiles(fitted, x, newest)
        news = _seen_until(rows, self._parents)[:, vitals] > seen_until[:, vitals]
        surprise = _surprise(rows["expected"], newest, news)
        _expect(rows["expected"], bands)
        return _Answers(
            score=heads.score(fitted, x),
            quantiles=bands,
            novelty=heads.novelty(fitted, known.z),
            surprise=surprise,
            reasons=_reasons(fitted, x, known),
        )


@dataclass(frozen=True, kw_only=True)
class _Answers:
    score: np.ndarray
    quantiles: np.ndarray
    novelty: np.ndarray
    surprise: np.ndarray
    reasons: list[tuple[Reason, ...]]

    @staticmethod
    def empty(count: int) -> _Answers:
        nothing = np.full((count, 0, 0, 0), np.nan, np.float32)
        zeros = np.zeros(count)
        return _Answers(
            score=zeros, quantiles=nothing, novelty=zeros, surprise=np.full(count, np.nan), reasons=[()] * count
        )


def _seen_until(rows: np.ndarray, parents: np.ndarray) -> np.ndarray:
    return registers.group_values(rows["registers"], parents)[1]


def _surprise(expected: np.ndarray, newest: np.ndarray, news: np.ndarray) -> np.ndarray:
    """Mean over newly measured vitals of |observed - median| in half-widths of the last forecast; NaN if none."""
    count = min(newest.shape[1], expected.shape[1])
    low, median, high = (expected[:, :count, i] for i in range(3))
    off = np.abs(newest[:, :count] - median) / np.maximum((high - low) / 2, 1e-6)
    use = news[:, :count] & np.isfinite(off)
    total = np.where(use, off, 0.0).cumsum(axis=1)[:, -1]
    return np.where(use.any(axis=1), total / np.maximum(use.sum(axis=1), 1), np.nan)


def _expect(expected: np.ndarray, bands: np.ndarray) -> None:
    count = min(bands.shape[1], expected.shape[1])
    first = bands[:, :count, 0]
    expected[:, :count] = first[..., [0, first.shape[-1] // 2, -1]]


def _reasons(fitted: Heads, x: np.ndarray, known: Features) -> list[tuple[Reason, ...]]:
    """The codes that move the score most, largest first, of those the patient has."""
    listed = {code: share for code, share in heads.contributions(fitted, x).items() if code in by_code()}
    names, ids = list(listed), [by_code()[code].id for code in listed]
    share = np.stack(list(listed.values()), axis=1)
    seen = known.registers[:, [known.names.index(f"{code}/seen") - known.z.shape[1] for code in names]] > 0
    best = np.argsort(-np.where(seen, np.abs(share), -1.0), axis=1, kind="stable")[:, :REASONS]
    found = []
    for i, picks in enumerate(best):
        rows = []
        for pick in picks:
            if seen[i, pick]:
                value, age = known.values[i, ids[pick]], known.ages[i, ids[pick]]
                rows.append(
                    Reason(
                        code=names[pick],
                        value=float(value) if np.isfinite(value) else None,
                        age=int(age) if age >= 0 else None,
                        weight=float(share[i, pick]),
                    )
                )
        found.append(tuple(rows))
    return found


def _parents(count: int) -> np.ndarray:
    parents = np.arange(count)
    for code in codes():
        if code.parent in by_code():
            parents[code.id] = by_code()[code.parent].id
    return parents


def _with_heads(identity: str, fitted: Heads) -> str:
    digest = hashlib.blake2b(identity.encode(), digest_size=16)
    for name, value in sorted(vars(fitted).items()):
        digest.update(name.encode())
        digest.update(
            np.ascontiguousarray(value, np.float32).tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        )
    return digest.hexdigest()


def load_forecaster(folder: Path) -> JepaForecaster:
    """The forecaster of a model folder, with its heads where they were fitted."""
    return JepaForecaster(checkpoint.load(folder), load_heads(folder))
