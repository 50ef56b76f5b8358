"""What was said in the last hours, read once: a tick's outcomes never change after it, so only newer ones are fetched."""

from __future__ import annotations

from collections.abc import Sequence

from clinical_jepa.records.forecasts import Abstention, Forecast
from clinical_jepa.web.state import LedgerView


class Recent:
    """The outcomes of all subjects since an instant that only moves on. Not for several threads at once."""

    def __init__(self, ledger: LedgerView) -> None:
        self._ledger = ledger
        self._kept: list[Forecast | Abstention] = []

    def since(self, instant: int) -> Sequence[Forecast | Abstention]:
        """Everything said at or after ``instant``. The newest known instant is read again, with what comes after it."""
        newest = max((outcome.at for outcome in self._kept), default=instant)
        fresh = self._ledger.outcomes(since=max(instant, newest))
        self._kept = [outcome for outcome in self._kept if instant <= outcome.at < newest]
        self._kept += fresh
        return self._kept
