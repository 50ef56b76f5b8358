"""In which zone the sources of a namespace are read: said once, kept beside the store's tables.

Another zone makes other instants of the same words, and with them other facts: both would stand in the store. So would they
if a damaged file named another zone: it carries a checksum, as the manifest does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.store.files import check_of, sync_folder, write_bytes
from clinical_jepa.store.locks import writer_lock

NAME = "zones.json"


def agree(root: Path, sources: Iterable[str], zone: str) -> None:
    """Keep ``zone`` as that of these sources; ``BadRequest`` where one of them was read in another before."""
    with writer_lock(root):
        known = read(root)
        wanted = dict.fromkeys(sorted(sources), zone)
        for source in wanted:
            if known.get(source, zone) != zone:
                raise BadRequest(
                    f"{source} was read into {root} in zone {known[source]}, and now in {zone}: what comes without an offset "
                    f"would stand there twice, at two times; nothing was read. Give --zone {known[source]} (site.zone); if that "
                    "one was wrong, ingest everything into a new store"
                )
        if not wanted.keys() <= known.keys():
            write_bytes(root / NAME, _content(known | wanted))
            sync_folder(root)


def read(root: Path) -> dict[str, str]:
    """The zone of each source, none where none was read yet; ``BrokenStore`` where the file is not what was written."""
    try:
        found = (root / NAME).read_bytes()
    except FileNotFoundError:
        return {}
    try:
        said = json.loads(found)
        if _is_account(said):  # as it was written before it had a checksum
            return dict(said)
        if found == _content(said["body"]):
            return dict(said["body"])
    except (ValueError, TypeError, KeyError):
        pass  # it says nothing, and so not what was written
    raise BrokenStore(
        f"{root / NAME} is damaged: its bytes are not those that were written; nothing was changed; restore it from a backup"
    )


def _content(zones: dict[str, str]) -> bytes:
    return json.dumps({"check": check_of(zones), "body": zones}, indent=1).encode()


def _is_account(said: object) -> bool:
    return isinstance(said, dict) and bool(said) and all(isinstance(zone, str) for zone in said.values())
