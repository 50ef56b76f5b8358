"""The errors callers may catch.

    ClinicalJepaError
    ├── BadRequest        we were asked something that has no answer: unknown subject, bad option (exit code 2)
    │   └── NothingToRead the folders given hold nothing that a source reads; for a schedule that is no failure
    ├── BrokenStore       what is on disk is not what was written there; nothing was changed
    ├── LedgerFailed      the ledger is whole, but has no room, may not be written or is held by another; the step is not kept
    ├── WrongModel        a memory, policy or checkpoint that belongs to another model, subject or code map
    ├── FetchFailed       a server or a download could not be read to its end; what is durable is kept, run again
    └── TrainingFailed    training stopped because its result would be useless (collapse, no data)

Bad *input* is never an exception: it becomes a ``Rejection`` row and the rest goes on. Abstention is a value.
"""

from __future__ import annotations


class ClinicalJepaError(Exception):
    """What happened, where, what was kept, and what to do, as one readable message."""


class BadRequest(ClinicalJepaError):
    """The caller asked for something that cannot be done as asked."""


class NothingToRead(BadRequest):
    """Nothing that a source reads lies where it was looked for."""


class BrokenStore(ClinicalJepaError):
    """Persisted bytes fail their own check."""


class LedgerFailed(ClinicalJepaError):
    """The ledger could not be read or written for want of room, of a right, or of a moment in which nobody holds it."""


class WrongModel(ClinicalJepaError):
    """Bytes that belong to another model, subject or code map were offered, and refused."""


class FetchFailed(ClinicalJepaError):
    """What was to come over a network did not, or not whole; what had come is kept, and the same call goes on from there."""


class TrainingFailed(ClinicalJepaError):
    """Training was stopped rather than end with a useless model."""
