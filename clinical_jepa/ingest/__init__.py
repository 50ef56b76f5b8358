"""Source files into the store: ``ingest`` and what it reports."""

from clinical_jepa.ingest.report import Counts, IngestReport
from clinical_jepa.ingest.run import ingest

__all__ = ["Counts", "IngestReport", "ingest"]
