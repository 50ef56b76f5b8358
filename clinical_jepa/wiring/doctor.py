"""What is wrong here and how to mend it: one finding a line, each measured now."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from clinical_jepa.records.errors import BrokenStore, ClinicalJepaError, LedgerFailed
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger_check import check
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings
from clinical_jepa.wiring.wholeness import not_writable, read_through

# package, first good version, first bad one (docs/decisions/0002-pins.md)
_RANGES = (
    ("torch", (2, 13), (2, 14)),
    ("sqlalchemy", (2, 0, 58), (2, 1)),
    ("fastapi", (0, 139), (0, 151)),
    ("prefect", (3, 8, 8), (3, 9)),
)
_DISK_GB_MIN = 5
_GIVE = "give this user the right, or run as the user who has it"


def findings(settings: Settings) -> list[dict[str, Any]]:
    """Rows of what was looked at: state ``good``, ``worth knowing`` or ``wrong``, what was seen, what to do."""
    looks = (_python, _versions, _byte_code, _clock, _accelerator, _browser, _pacs, _sqlite)
    rows = [row for look in looks for row in look()]
    return rows + _disk(Path(settings.paths.store)) + _store(settings) + _model(settings)


def _row(what: str, state: str, seen: object, mend: str = "") -> dict[str, Any]:
    return {"what": what, "state": state, "seen": str(seen), "mend": mend}


def _python() -> list[dict[str, Any]]:
    good = sys.version_info >= (3, 11)
    return [
        _row(
            "python",
            "good" if good else "wrong",
            sys.version.split()[0],
            "" if good else "install Python 3.11 or later",
        )
    ]


def _versions() -> list[dict[str, Any]]:
    rows = []
    for name, least, most in _RANGES:
        try:
            seen = metadata.version(name)
        except metadata.PackageNotFoundError:
            rows.append(_row(name, "wrong", "not installed", "make setup"))
            continue
        numbers = tuple(int(part) for part in seen.partition("+")[0].split(".") if part.isdecimal())
        good = least <= numbers < most
        rows.append(
            _row(name, "good" if good else "wrong", seen, "" if good else "pip install -c constraints.txt -e .")
        )
    return rows


def _byte_code() -> list[dict[str, Any]]:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    compiled = (Path(spec.origin).parent / "__pycache__").is_dir()
    mend = (
        ""
        if compiled
        else "python -m compileall -q -j 0 on the environment's site-packages: starts are 2 to 3 times faster"
    )
    return [
        _row("byte code", "good" if compiled else "worth knowing", "compiled" if compiled else "not compiled", mend)
    ]


def _disk(store: Path) -> list[dict[str, Any]]:
    place = store.absolute()  # a store that is not yet made would lie below the first folder that is there
    there = next(path for path in (place, *place.parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free / 1e9
    low = free < _DISK_GB_MIN
    seen = f"{free:.0f} GB free at {there}"
    return [_row("disk", "wrong" if low else "good", seen, "make room before ingest" if low else "")]


def _clock() -> list[dict[str, Any]]:
    good = time.time() > 1_767_225_600  # 2026-01-01: an unset clock starts in 1970 or at its build date
    return [
        _row(
            "wall clock",
            "good" if good else "wrong",
            time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
            "" if good else "set the clock (NTP)",
        )
    ]


def _accelerator() -> list[dict[str, Any]]:
    return [_row("processors", "good", f"{os.cpu_count()} cores; serving uses one thread by design")]


def _browser() -> list[dict[str, Any]]:
    seen = shutil.which("chromium") or shutil.which("chromium-browser")
    state = "good" if seen else "worth knowing"
    return [_row("chromium", state, seen or "not found", "" if seen else "make servers (only browser tests need it)")]


def _pacs() -> list[dict[str, Any]]:
    seen = shutil.which("Orthanc")
    state = "good" if seen else "worth knowing"
    return [_row("orthanc", state, seen or "not found", "" if seen else "make servers (only PACS tests need it)")]


def _sqlite() -> list[dict[str, Any]]:
    return [_row("sqlite", "good", sqlite3.sqlite_version)]


def _store(settings: Settings) -> list[dict[str, Any]]:
    folder = Path(settings.paths.store)
    if folder.is_file():
        return [_row("store", "wrong", f"{folder} is a file", "name a folder: --store (paths.store)")]
    if not folder.is_dir():
        return [
            _row("store", "worth knowing", f"none at {folder}", "clinical-jepa ingest SOURCE --store " + str(folder))
        ]
    try:
        return [_tables(folder), *_rights(folder), _ledger(folder / compose.LEDGER)]
    except PermissionError as error:
        return [_row("store", "wrong", f"this user may not read {error.filename}", _GIVE)]


def _tables(folder: Path) -> dict[str, Any]:
    """The store's own files. One of an earlier version is left as it is: to open it would migrate it."""
    if not manifests.exists(folder):
        return _row("store", "wrong", f"{folder} holds no store", f"clinical-jepa ingest SOURCE --store {folder}")
    try:
        version = manifests.read_body(folder)[0]
        if version < manifests.SCHEMA_VERSION:
            seen = f"of schema version {version}, as an earlier program wrote it; its files were not read through"
            makes = f"the next verb that opens it makes it one of version {manifests.SCHEMA_VERSION}, in one commit"
            return _row("store", "worth knowing", seen, f"{makes}: clinical-jepa subjects --store {folder}")
        store = Store(folder, manifests.read(folder))
        refused = store.rejections().num_rows
        files, size = read_through(folder)
    except PermissionError:
        raise
    except (ClinicalJepaError, OSError) as error:
        return _row("store", "wrong", error, "restore it from a copy; nothing was changed by this look")
    seen = (
        f"{store.watermark} commits, {refused} refusals in quarantine; {files} files read through ({size / 1e6:.1f} MB)"
    )
    return _row("store", "good", seen)


def _ledger(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return _row("ledger", "worth knowing", "none yet", "the first tick makes it")
    try:
        check(path)
    except LedgerFailed as error:
        return _row("ledger", "wrong", error)
    except BrokenStore as error:
        return _row("ledger", "wrong", error, "restore it from a copy; nothing was changed by this look")
    return _row("ledger", "good", "read through")


def _rights(folder: Path) -> list[dict[str, Any]]:
    refused = not_writable(folder)
    if not refused:
        return [_row("store's rights", "good", "this user may write it")]
    seen = f"this user may not write {refused[0]}" + (f" and {len(refused) - 1} more" if refused[1:] else "")
    return [_row("store's rights", "wrong", seen, _GIVE)]


def _model(settings: Settings) -> list[dict[str, Any]]:
    path = Path(settings.paths.model) / "policy.json"
    if not path.is_file():
        return [
            _row("model", "worth knowing", f"none fitted at {settings.paths.model}", "clinical-jepa pretrain, then fit")
        ]
    days = (time.time() - path.stat().st_mtime) / 86_400
    return [_row("model", "good", f"fitted {days:.1f} days ago")]
