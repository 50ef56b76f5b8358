"""Open data sets: where they are published and what their files must be (``schemas/datasets.toml``)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.vocabulary.tables import schemas

_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """``list``: name of the publisher's list of checksums, empty where ``sha256`` names every file. ``take``: patterns."""

    name: str
    title: str
    licence: str
    base: str
    list: str = ""
    take: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str) -> bool:
        """Whether a file of the publisher belongs to what is pulled."""
        return name in self.sha256 or any(fnmatchcase(name, pattern) for pattern in self.take)


def data_sets() -> dict[str, DataSet]:
    """All known sets by name."""
    said = tomllib.loads((schemas() / "datasets.toml").read_text(encoding="utf-8"))
    return {
        name: DataSet(
            name=name,
            title=entry["title"],
            licence=entry["licence"],
            base=entry["base"],
            list=entry.get("list", ""),
            take=tuple(entry.get("take", ())),
            sha256=entry.get("sha256", {}),
        )
        for name, entry in said.items()
    }


def data_set(name: str) -> DataSet:
    """The set of this name; ``BadRequest`` that names the nearest one."""
    known = data_sets()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise BadRequest(f"there is no data set {name!r}; {advice}")
    return known[name]


def listed(text: str) -> Iterator[tuple[str, str]]:
    """``(name, checksum)`` of each line of a list as ``sha256sum`` writes it; other lines are passed over."""
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found:
            yield found[2].removeprefix("./"), found[1].lower()


def safe(name: str) -> bool:
    """True for a name that stays below the folder it is joined to."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name
