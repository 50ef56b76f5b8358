"""The estimate of the clock skew against offsets that are known, and on the subjects of a store.

A wrong offset that is believed moves every charted value of a stay, so being wrong and certain is what counts against the
estimate; being silent is allowed where the heart rate tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_jepa.evaluate.checks.agreement import CHARTED, MONITOR, series
from clinical_jepa.evaluate.checks.skew_cases import case
from clinical_jepa.records.instant import END, MINUTE
from clinical_jepa.timeline.clock_skew import Series, Skew, clock_skew

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store

Estimate = Callable[[Series, Series], Skew]

WITHIN = 2 * MINUTE
RECOVERED, WRONG = 0.90, 0.01  # at least, below: shares of all cases
_STRANGERS = 10  # every so many cases, the chart of the next case is tried on this one's monitor


@dataclass(frozen=True, kw_only=True)
class SkewReport:
    """Counts of simulated cases. ``wrong``: certain, and more than 2 minutes off or with the truth outside the interval.

    ``strangers`` are monitors paired with another case's chart; ``believed`` how many of those were not refused.
    """

    cases: int
    recovered: int
    refused: int
    wrong: int
    outside: int  # certain, with the truth outside the interval
    strangers: int
    believed: int

    @property
    def passed(self) -> bool:
        few_wrong = self.wrong < WRONG * self.cases and self.believed <= WRONG * self.strangers
        return self.recovered >= RECOVERED * self.cases and few_wrong

    def sentence(self) -> str:
        """The result in words, for a console or a report."""
        return (
            f"{self.recovered} of {self.cases} simulated offsets recovered within 2 minutes "
            f"({self.recovered / self.cases:.1%}), {self.refused} refused, {self.wrong} wrong and certain "
            f"({self.wrong / self.cases:.1%}; {self.outside} with the truth outside the interval); "
            f"{self.believed} of {self.strangers} pairs of two different patients believed"
        )


def check_skew(cases: int, seed: int, *, estimate: Estimate = clock_skew, tell: Callable[[str], None]) -> SkewReport:
    """Every case of a seed, and every tenth monitor with a stranger's chart."""
    recovered = refused = wrong = outside = strangers = believed = 0
    for number in range(cases):
        here = case(seed, number)
        found = estimate(here.monitor, here.chart)
        if found.verdict == "refused" or found.offset is None or found.low is None or found.high is None:
            refused += 1
        else:
            missed, off = not found.low <= here.offset <= found.high, abs(found.offset - here.offset) > WITHIN
            outside += missed
            wrong += missed or off
            recovered += not off
        if number % _STRANGERS == 0:
            strangers += 1
            believed += estimate(here.monitor, case(seed, number + 1).chart).verdict != "refused"
        if number % 100 == 99:
            tell(f"{number + 1} of {cases} cases")
    return SkewReport(
        cases=cases,
        recovered=recovered,
        refused=refused,
        wrong=wrong,
        outside=outside,
        strangers=strangers,
        believed=believed,
    )


def skew_of_subjects(store: Store, subject_ids: Iterable[int], *, as_of: int = END) -> Iterator[tuple[int, Skew]]:
    """Charted against monitor heart rate of each subject, as known ``as_of`` (by default all that is stored)."""
    for subject_id in subject_ids:
        events = store.history(subject_id, as_of=as_of).events
        yield subject_id, clock_skew(Series(*series(events, MONITOR)), Series(*series(events, CHARTED)))


def line(found: Skew) -> str:
    """The verdict on one subject in words."""
    if found.offset is None or found.low is None or found.high is None:
        return f"{found.verdict}: {found.reason}"
    offset, low, high = (value / MINUTE for value in (found.offset, found.low, found.high))
    interval = f"{offset:+.1f} min ({low:+.1f} to {high:+.1f})"
    return f"{found.verdict}: {found.reason}; chart minus monitor {interval}, {found.met} charted values met"
