"""Whether a store's files are all there, are what was written, and can be written by this user."""

from __future__ import annotations

import os
from pathlib import Path

from clinical_jepa.store import manifest as manifests
from clinical_jepa.store import zones
from clinical_jepa.store.files import verify
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import reread
from clinical_jepa.store.segments import read_segments
from clinical_jepa.wiring.compose import LEDGER


def read_through(root: Path) -> tuple[int, int]:
    """Files of the store at ``root`` and their bytes, every one read; ``BrokenStore`` at the first that is not as written.

    A file that another process merged away meanwhile is no damage: then those of the newer manifest are read.
    """
    zones.read(root)
    return reread(root, manifests.read(root), lambda manifest: _read(root, manifest))


def _read(root: Path, manifest: Manifest) -> tuple[int, int]:
    arrays = read_segments(root, "digests", manifest.of("digests"))
    written = {segment.name: segment.digest for segment in manifest.segments} | dict(manifest.index)
    written |= dict(zip(arrays["name"].to_pylist(), arrays["digest"].to_pylist(), strict=True))
    for name, digest in written.items():
        verify(root / name, digest)
    return len(written), sum((root / name).stat().st_size for name in written)


def not_writable(root: Path) -> list[Path]:
    """What a writer of the store would need and this user may not write: folders, the writer's lock, the ledger."""
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    files = [path for path in (root / "writer.lock", root / LEDGER) if path.exists()]
    return [path for path in folders if not os.access(path, os.W_OK | os.X_OK)] + [
        path for path in files if not os.access(path, os.W_OK)
    ]
