"""Arrow schemas of what the store keeps.

``EVENTS`` is a valid MEDS data schema (meds 0.4: subject_id, time, code, numeric_value, text_value) plus what makes
it usable at the bedside: when each row could be known, on what basis, and which rows speak of the same fact.

Revisions: rows with one ``fact_id`` are versions of one fact; the newest visible one (largest
``(available_time, event_id)``) is the truth as of then. ``event_id`` is a hash of the fact and its content, so the same
row twice is one row, and a changed row is a new version. Nothing is ever edited.

A recorded waveform is one fact, and a version of it is several rows, its pieces, which share a ``version_id``: the next version
takes the place of all of them (docs/decisions/0006-versions-of-waveforms.md).
"""

from __future__ import annotations

import pyarrow as pa

INSTANT = pa.timestamp("us")  # UTC; MEDS has no zone in its type

EVENTS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("time", INSTANT),  # when it was true; null only for statics such as GENDER//F
        pa.field("code", pa.string(), nullable=False),
        pa.field("numeric_value", pa.float32()),
        pa.field("text_value", pa.large_string()),
        pa.field("available_time", INSTANT, nullable=False),  # when this system could have known it
        pa.field("available_basis", pa.string(), nullable=False),  # one of BASES
        pa.field("unit", pa.string()),  # canonical UCUM unit of numeric_value
        pa.field("encounter_id", pa.string()),
        pa.field("source", pa.string(), nullable=False),  # e.g. "fhir", "wfdb:numerics", "mimic3:CHARTEVENTS"
        pa.field("event_id", pa.string(), nullable=False),  # 32 hex characters
        pa.field("fact_id", pa.string(), nullable=False),  # 32 hex characters, shared by all versions of a fact
        pa.field("status", pa.string(), nullable=False),  # one of STATUSES
        pa.field("record_id", pa.string()),  # of the source's record that said it, where one may be withdrawn whole
    ]
)

SIGNALS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),  # canonical: ECG, PPG, ABP, PAP, RESP
        pa.field("time", INSTANT, nullable=False),  # of the first sample
        pa.field("end_time", INSTANT, nullable=False),  # one sample period after the last; at most 60 s later
        pa.field("available_time", INSTANT, nullable=False),
        pa.field("available_basis", pa.string(), nullable=False),
        pa.field("rate_hz", pa.float64(), nullable=False),
        pa.field("samples", pa.int32(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("quality", pa.float32(), nullable=False),  # share of usable samples, 0 to 1
        pa.field("quality_reason", pa.string()),  # e.g. flat, saturated, missing; null when good
        pa.field("reference", pa.string(), nullable=False),  # "arrays/<name>.npy#<first>:<count>"
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("fact_id", pa.string()),  # of the recorded waveform; null: the piece is a fact of its own
        pa.field("version_id", pa.string()),  # shared by the pieces of one version; null: a version of its own
        pa.field("status", pa.string()),  # one of STATUSES; null: final
        pa.field("record_id", pa.string()),
    ]
)

IMAGES = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("time", INSTANT, nullable=False),  # study time
        pa.field("available_time", INSTANT, nullable=False),
        pa.field("available_basis", pa.string(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("view", pa.string()),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("columns", pa.int32(), nullable=False),
        pa.field("spacing_row_mm", pa.float64()),
        pa.field("spacing_column_mm", pa.float64()),
        pa.field("reference", pa.string(), nullable=False),  # decoded picture, float32 in [0, 1], white = dense
        pa.field("prepared", pa.string(), nullable=False),  # what the encoder eats, float32 [64, 64] in [0, 1]
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("fact_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("record_id", pa.string()),
    ]
)

CROSSWALK = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("namespace", pa.string(), nullable=False),  # who gave the identifier, e.g. "mrn", "mimic3"
        pa.field("identifier", pa.string(), nullable=False),
    ]
)

REJECTIONS = pa.schema(
    [
        pa.field("rejection_id", pa.string(), nullable=False),  # hash of source, record, reason and original
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("record", pa.string(), nullable=False),  # line, segment, SOP instance …: where in the file
        pa.field("reason", pa.string(), nullable=False),  # one of REASONS
        pa.field("message", pa.string(), nullable=False),  # for a person; holds no value of a patient
        pa.field("original", pa.large_binary()),  # the refused bytes, or null when `file` is the pointer
        pa.field("received_time", INSTANT, nullable=False),
    ]
)

RETRACTIONS = pa.schema(
    [
        pa.field("change_id", pa.string(), nullable=False),  # hash of what the source said
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("time", INSTANT, nullable=False),  # when the source withdrew the record
        pa.field("available_time", INSTANT, nullable=False),
        pa.field("available_basis", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)

LINKS = pa.schema(
    [
        pa.field("change_id", pa.string(), nullable=False),
        pa.field("absorbed", pa.int64(), nullable=False),  # subject ids
        pa.field("survivor", pa.int64(), nullable=False),
        pa.field("active", pa.bool_(), nullable=False),  # false: the link is undone
        pa.field("time", INSTANT, nullable=False),  # when the source linked or parted them
        pa.field("available_time", INSTANT, nullable=False),
        pa.field("available_basis", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)

BASES = (
    "receipt",  # live: our commit time
    "receipt-clock-fault",  # live: the source claims to have reported it after we received it
    "issued",  # history: the source's own reporting or store time
    "last-updated",  # history: meta.lastUpdated of version 1, where the source declares it true
    "delay",  # history: time + a declared delay for the kind
    "assumed",  # history: nothing better than `time`
    "clamped",  # history: the reporting time lay before `time`, so `time` is used
)

STATUSES = ("final", "preliminary", "amended", "corrected", "cancelled", "entered-in-error")
RETRACTED = ("cancelled", "entered-in-error")  # the fact no longer holds
REVISING = ("amended", "corrected", *RETRACTED)  # the row says that it replaces an earlier one

REASONS = (
    "unreadable",  # not the format it claims to be, truncated, failing its own checksum
    "invalid",  # readable, but breaks its standard
    "no-time",
    "no-unit",
    "unknown-unit",
    "no-pixels",
    "implausible",
    "unknown-subject",
    "no-subject",
    "unmapped",  # a code that the site's map says must not be trusted
)
