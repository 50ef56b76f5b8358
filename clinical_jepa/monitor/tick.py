"""The live system, whole: read what arrived, step every patient's memory, say and alert, commit once.

Live, catching up, and in a backtest it is this function. It is idempotent by ``now``: a tick that was committed is not
done again, and a crash before the one commit leaves nothing, so that the next try does the same.
"""

from __future__ import annotations

from clinical_jepa.monitor.advance import advance
from clinical_jepa.monitor.presence import arrived, concerned, present
from clinical_jepa.monitor.report import nothing_to_do, report
from clinical_jepa.monitor.rewind import starts
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.instant import BEGINNING, floor_minute
from clinical_jepa.records.ward import TickCommit, TickReport
from clinical_jepa.store.crash_points import reached


def tick(ward: Ward, now: int) -> TickReport:
    """Brings every patient to the whole minute at or before ``now``, in one commit or not at all."""
    now = floor_minute(now)
    since, known_commits = ward.ledger.last_tick() or (BEGINNING, None)
    if now <= since:
        return nothing_to_do(now)
    arrivals = ward.store.arrivals(since, now, known_commits=known_commits)
    patients, here = ward.ledger.patients(), present(ward.store, arrivals)
    begun = starts(ward, arrivals, patients, concerned(arrivals, patients, here))
    reached("tick.before-step")
    steps = ward.forecaster.step([start.memory for start in begun], [start.slice for start in begun])
    answers = ward.ledger.acknowledgements(now)
    commit = TickCommit(
        now=now,
        since=since,
        watermark=arrivals.watermark,
        memories=tuple(step.memory for step in steps),
        advances=tuple(
            advance(
                start.patient,
                step,
                now,
                ward.policy,
                stay=here.get(start.patient.subject_id),
                acknowledgements=answers,
                simulated=ward.simulated,
            )
            for start, step in zip(begun, steps, strict=True)
        ),
        arrivals=arrived(arrivals),
        late_rows=arrivals.late_rows,
        replayed=sum(start.replayed for start in begun),
        rewound=arrivals.rewind,
    )
    reached("tick.before-commit")
    ward.ledger.commit(commit)
    return report(commit)
