"""Where a bulk export stands, so that a kill in the middle goes on where it was: one row an export, one a durable file."""

from __future__ import annotations

from dataclasses import dataclass

from clinical_jepa.intake.state import Receipt, State


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An export that the server works at, or has ready (``manifest``). ``again``: begun anew after the first expired."""

    name: str
    status_url: str
    run: int
    manifest: bytes | None
    again: bool


@dataclass(frozen=True, kw_only=True)
class Done:
    """A file of the manifest that is durable here. ``file`` is empty for one without lines."""

    url: str
    file: str
    entries: int
    problem: str


def standing(state: State, name: str) -> Standing | None:
    """The export under way, if there is one."""
    query = "SELECT name, status_url, run, manifest, asked_again FROM export WHERE name = ?"
    row = state.db.execute(query, (name,)).fetchone()
    if row is None:
        return None
    return Standing(name=row[0], status_url=row[1], run=row[2], manifest=row[3], again=bool(row[4]))


def begin(state: State, one: Standing) -> None:
    """The server has accepted the export: from here on it is asked for by this address."""
    with state.db:
        state.db.execute("DELETE FROM export_file WHERE name = ?", (one.name,))
        row = (one.name, one.status_url, one.run, one.manifest, one.again)
        state.db.execute("INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?, ?)", row)


def ready(state: State, name: str, manifest: bytes) -> None:
    """The export is ready: these are its files."""
    with state.db:
        state.db.execute("UPDATE export SET manifest = ? WHERE name = ?", (manifest, name))


def done(state: State, name: str) -> dict[str, Done]:
    """The files that need not be fetched again, by address."""
    query = "SELECT url, file, entries, problem FROM export_file WHERE name = ?"
    rows = state.db.execute(query, (name,)).fetchall()
    return {url: Done(url=url, file=file, entries=entries, problem=problem) for url, file, entries, problem in rows}


def finish_file(state: State, name: str, one: Done, receipt: Receipt | None) -> None:
    """This file is durable."""
    with state.db:
        row = (name, one.url, one.file, one.entries, one.problem)
        state.db.execute("INSERT OR REPLACE INTO export_file VALUES (?, ?, ?, ?, ?)", row)
        if receipt is not None:
            state.receive(receipt)


def forget(state: State, name: str) -> None:
    """The export is over, or gone from the server."""
    with state.db:
        state.db.execute("DELETE FROM export_file WHERE name = ?", (name,))
        state.db.execute("DELETE FROM export WHERE name = ?", (name,))
