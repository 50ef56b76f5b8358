"""In which zone the sources of a namespace are read: said once, kept beside the store's tables.

Another zone makes other instants of the same words, and with them other facts: both would stand in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.store.files import sync_folder, write_bytes
from clinical_jepa.store.locks import writer_lock

NAME = "zones.json"


def agree(root: Path, sources: Iterable[str], zone: str) -> None:
    """Keep ``zone`` as that of these sources; ``BadRequest`` where one of them was read in another before."""
    with writer_lock(root):
        known = _read(root)
        wanted = dict.fromkeys(sorted(sources), zone)
        for source in wanted:
            if known.get(source, zone) != zone:
                raise BadRequest(
                    f"{source} was read into {root} in zone {known[source]}, and now in {zone}: what comes without an offset "
                    f"would stand there twice, at two times; nothing was read. Give --zone {known[source]} (site.zone); if that "
                    "one was wrong, ingest everything into a new store"
                )
        if not wanted.keys() <= known.keys():
            _write(root, known | wanted)


def _write(root: Path, zones: dict[str, str]) -> None:
    write_bytes(root / NAME, json.dumps(zones, indent=1).encode())
    sync_folder(root)


def _read(root: Path) -> dict[str, str]:
    try:
        return dict(json.loads((root / NAME).read_bytes()))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise BrokenStore(f"{root / NAME} cannot be read; nothing was changed; restore it from a backup") from error
