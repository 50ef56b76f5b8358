"""One table under way: whose each row is, and where its facts and rejections go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.tables.files import RAW, Folder

Row = Mapping[str, Any]  # a row by column name


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a fact says besides its code and times; ``part`` tells facts of one row apart."""

    value: float | None = None
    unit: str | None = None
    text: str | None = None
    part: str = ""


NOTHING = Content()


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """``file`` is how rejections name the table's file."""

    table: str
    file: str
    context: ReadContext
    folder: Folder
    rows: Rows = field(default_factory=Rows)
    identities: dict[str, Identity] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)

    def ignore(self, why: str, count: int = 1) -> None:
        """Count rows of this table that are no fact here."""
        if count:
            self.ignored[f"{self.table} {why}"] += count

    def reject(self, row: Row, reason: str, message: str) -> None:
        """Keep a row's rejection, with the row."""
        self.rows.reject(self._origin(row), reason, message)

    def keep(
        self,
        row: Row,
        code: str,
        time: int | None,
        *,
        stored: int | None = None,
        delay: str | None = None,
        content: Content = NOTHING,
    ) -> None:
        """Keep one fact of a row, at ``time``, known at ``stored`` or after the delay of its kind."""
        if time is None:
            self.reject(row, "no-time", f"{self.table}: no readable time")
            return
        declared = None if delay is None else self.context.delays[delay]
        self._add(row, code, time, availability(time, reported=stored, delay=declared), content)

    def keep_static(self, row: Row, code: str, time: int | None, known: int, content: Content) -> None:
        """Keep what has no time of its own, or one long before the stay: known since the first admission."""
        self._add(row, code, time, (known, "assumed"), content)

    def _add(self, row: Row, code: str, time: int | None, available: tuple[int, str], content: Content) -> None:
        subject = self.subject(row)
        if subject is None:
            self.reject(row, "unknown-subject", f"{self.table}: a subject that PATIENTS does not declare")
            return
        fact = Fact(
            key=f"{row['row_id']}{content.part}",
            subject_id=subject,
            code=code,
            time=time,
            available_time=available[0],
            available_basis=available[1],
            value=content.value,
            unit=content.unit,
            text=content.text,
            encounter_id=row.get("hadm_id"),
        )
        self.rows.add(fact, self._origin(row))

    def subject(self, row: Row) -> int | None:
        """The subject id of a row, or None where PATIENTS does not declare it."""
        identifier = row["subject_id"]
        if identifier not in self.identities:
            declared = self.context.subjects
            if identifier not in self.folder.first_admission or (declared is not None and identifier not in declared):
                return None
            self.identities[identifier] = Identity(
                subject_id=self.context.subject(identifier), namespace=self.context.namespace, identifier=identifier
            )
        return self.identities[identifier].subject_id

    def _origin(self, row: Row) -> Origin:
        return Origin(
            source=f"mimic3:{self.table}",
            file=self.file,
            record=f"row_id {row['row_id']}",
            original=row[RAW].encode(),
        )
