"""Benches for the command line: figures as rows, with the limit that each is held to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import compose


def ingest(parts: Sequence[str], *, tell: compose.Tell) -> list[dict[str, Any]]:
    """A row a figure; ``BadRequest`` for a part that there is not."""
    from clinical_jepa.bench import ingest as bench

    if unknown := sorted(set(parts) - set(bench.PARTS)):
        raise BadRequest(f"bench ingest measures {', '.join(bench.PARTS)}, not {', '.join(unknown)}")
    return [
        {
            "figure": one.name,
            "ratio": f"{one.ratio:.3g}",
            "limit": f"{'≥' if one.at_least else '≤'} {one.limit:g}",
            "met": "yes" if one.met else "NO",
            "of what": one.detail,
        }
        for one in bench.run(parts or bench.PARTS, tell=tell)
    ]
