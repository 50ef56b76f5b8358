"""What sources changed about rows that came before: records withdrawn whole, subjects linked and parted.

Both are rows of their own, and nothing stored is touched by them: what is seen as of an instant is worked out from the rows,
the retractions and the links together, so the order in which they were ingested cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from clinical_jepa.records.events import LINKS, RETRACTIONS
from clinical_jepa.store.owners import Link, Owners, owners
from clinical_jepa.store.versions import begun

COMMIT = pa.field("commit", pa.int64(), nullable=False)
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Retractions and links with the number of the commit that brought them (RETRACTIONS and LINKS with ``commit``)."""

    retractions: pa.Table = field(default_factory=lambda: pa.schema([*RETRACTIONS, COMMIT]).empty_table())
    links: pa.Table = field(default_factory=lambda: pa.schema([*LINKS, COMMIT]).empty_table())

    def __bool__(self) -> bool:
        return bool(self.retractions.num_rows or self.links.num_rows)

    def and_(self, retractions: pa.Table, links: pa.Table) -> Changes:
        """These and further ones."""
        return Changes(
            retractions=pa.concat_tables([self.retractions, retractions]), links=pa.concat_tables([self.links, links])
        )

    def first_retraction(self) -> int:
        """When the first record was withdrawn; NEVER where none was."""
        times = self.retractions["available_time"].cast(pa.int64()).to_numpy()
        return int(times.min()) if times.size else NEVER

    def after(self, instant: int) -> Changes:
        """The retractions later than an instant, without the links."""
        times = self.retractions["available_time"].cast(pa.int64()).to_numpy()
        return Changes(retractions=self.retractions.filter(pa.array(times > instant)))

    @cached_property
    def owners(self) -> Owners:
        """Whom each subject's rows belong to, by instant."""
        rows = self.links.set_column(4, "time", self.links["time"].cast(pa.int64()))
        rows = rows.set_column(5, "available_time", rows["available_time"].cast(pa.int64())).to_pylist()
        return owners(
            Link(
                available=row["available_time"],
                time=row["time"],
                active=row["active"],
                absorbed=row["absorbed"],
                survivor=row["survivor"],
                basis=row["available_basis"],
                source=row["source"],
                commit=row["commit"],
                change_id=row["change_id"],
            )
            for row in rows
        )

    def late_links(self, since: int, known_commits: int) -> Iterator[Link]:
        """Links of later commits that were available by ``since``."""
        return (link for link in self.owners.links if link.available <= since and link.commit > known_commits)

    def spread(self, doubts: Mapping[int, int]) -> dict[int, int]:
        """Doubts (subject → instant) of each subject and of all that a link ever joined with it."""
        found = dict(doubts)
        for subject, instant in doubts.items():
            for other in self.owners.kin(subject):
                found[other] = min(instant, found.get(other, instant))
        return found


NO_CHANGES = Changes()


def withdrawals(table: pa.Table, available: np.ndarray, changes: Changes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(places, instants, commits)`` of the rows whose record was withdrawn later: the first instant after ``available``.

    A version of several rows is withdrawn whole: what of it could be known later only is never seen.
    """
    none = np.zeros(0, np.int64)
    if "record_id" not in table.column_names or not changes.retractions.num_rows:
        return none, none, none
    withdrawn = pl.DataFrame(
        {
            "record": pl.from_arrow(changes.retractions["record_id"]),
            "at": changes.retractions["available_time"].cast(pa.int64()).to_numpy(),
            "commit": changes.retractions["commit"].to_numpy(),
        }
    ).sort("at", "commit")
    records = pl.Series(pl.from_arrow(table["record_id"]), dtype=pl.String)
    places = np.flatnonzero(records.is_in(withdrawn["record"].unique().implode()).fill_null(False).to_numpy())
    after = begun(table.take(pa.array(places)), available[places]) + 1
    rows = pl.DataFrame({"record": records.gather(places), "place": places, "after": after})
    withdrawn = withdrawn.unique(["record", "at"], keep="first", maintain_order=True)
    found = rows.sort("after").join_asof(
        withdrawn, left_on="after", right_on="at", by="record", strategy="forward", check_sortedness=False
    )
    found = found.drop_nulls("at").sort("place")
    return found["place"].to_numpy(), found["at"].to_numpy(), found["commit"].to_numpy()
