"""Where each patient's step starts: from the newest memory, or, where the past changed, from the last one still right.

The law: the memory as of ``now``, after any sequence of ticks, corrections and late rows, is the memory made from scratch
of what is seen as of ``now``. It rests on the forecaster's own: how arrivals were cut into slices does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clinical_jepa.forecast.eligibility import Eligibility, from_bytes, observe
from clinical_jepa.records.forecasts import Memory
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.records.views import Arrivals, Slice
from clinical_jepa.records.ward import Patient
from clinical_jepa.timeline.slices import slices

if TYPE_CHECKING:
    from clinical_jepa.monitor.ward import Ward


@dataclass(frozen=True, kw_only=True)
class Start:
    """What one patient's step begins with. ``patient`` already knows, for eligibility, what the slice brings."""

    patient: Patient
    memory: Memory
    slice: Slice
    replayed: bool


def starts(ward: Ward, arrivals: Arrivals, patients: Mapping[int, Patient], subjects: Sequence[int]) -> list[Start]:
    """A start for each subject, in order."""
    kept = {subject: _mine(ward, ward.ledger.memory(subject)) for subject in subjects}
    memories = {subject: memory for subject, memory in kept.items() if memory is not None}
    for subject in set(subjects) - set(memories):
        # of one who was heard of before these arrivals, with no memory of it, they are not all there is to know
        if arrivals.origins.get(subject, arrivals.since) >= arrivals.since:
            memories[subject] = ward.forecaster.initial(subject)
    again = {subject for subject in subjects if subject in arrivals.rewind or subject not in memories}
    since = {subject: memory.cursor for subject, memory in memories.items()}
    onward = slices(arrivals, subjects=set(subjects) - again, since=since, load=ward.store.samples)
    found = []
    for subject in subjects:
        patient = patients.get(subject) or unseen(subject)
        if subject in again:
            found.append(replay(ward, patient, now=arrivals.until, before=arrivals.rewind.get(subject)))
        else:
            known = observe(from_bytes(patient.eligibility), onward[subject], ward.policy.task)
            patient = replace(patient, eligibility=known.to_bytes())
            found.append(Start(patient=patient, memory=memories[subject], slice=onward[subject], replayed=False))
    return found


def replay(ward: Ward, patient: Patient, *, now: int, before: int | None = None) -> Start:
    """A start at the last memory with a cursor before ``before`` (None: at none), with all that is seen since as of now."""
    subject = patient.subject_id
    kept = None if before is None else _mine(ward, ward.ledger.memory(subject, before=before))
    kept = kept or ward.forecaster.initial(subject)
    past = ward.store.history(subject, as_of=now, since=kept.cursor)
    ahead = slices(past, subjects=[subject], since=kept.cursor, load=ward.store.samples)[subject]
    return Start(patient=_refolded(ward, patient, now), memory=kept, slice=ahead, replayed=True)


def unseen(subject_id: int) -> Patient:
    """A patient of whom the monitor knows nothing yet."""
    return Patient(
        subject_id=subject_id, encounter_id=None, cursor=BEGINNING, alert=None, last_alert_end=None, eligibility=b""
    )


def _mine(ward: Ward, memory: Memory | None) -> Memory | None:
    """The memory, if the served model can read it on; a new model begins every patient anew."""
    return memory if memory is not None and memory.model_id == ward.forecaster.model_id else None


def _refolded(ward: Ward, patient: Patient, now: int) -> Patient:
    """Eligibility from scratch; it looks at records alone, so signals and images are left where they are."""
    past = ward.store.history(patient.subject_id, as_of=now)
    past = replace(past, signals=past.signals.slice(0, 0), images=past.images.slice(0, 0))
    whole = slices(past, subjects=[patient.subject_id], since=BEGINNING, load=ward.store.samples)[patient.subject_id]
    return replace(patient, eligibility=observe(Eligibility(), whole, ward.policy.task).to_bytes())
