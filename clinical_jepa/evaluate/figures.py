"""Figures of the model as a whole: leaderboard, reliability, lead times, and what was known when."""

from __future__ import annotations

import numpy as np

from clinical_jepa.evaluate import drawing
from clinical_jepa.evaluate.contents import KnownWhen
from clinical_jepa.evaluate.drawing import BLUE, GREEN, GREY, INK, ORANGE
from clinical_jepa.evaluate.scoring import Leaderboard
from clinical_jepa.forecast.alert_counting import Burden


def forest(board: Leaderboard) -> str:
    """AUROC and AUPRC of every row with its interval; ours in blue."""
    with drawing.look():
        figure = drawing.canvas(10.4, 0.8 + 0.3 * len(board.rows))
        left, right = figure.subplots(1, 2, sharey=True)
        rows = board.rows[::-1]
        for axes, metric in ((left, "auroc"), (right, "auprc")):
            for place, row in enumerate(rows):
                found = getattr(row, metric)
                colour = BLUE if row is board.rows[0] else GREY
                axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
                axes.plot(found.value, place, "o", color=colour, markersize=5)
            axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
            axes.set_xlabel(metric.upper())
        left.axvline(0.5, color=INK, linewidth=0.6, linestyle=":")
        right.axvline(board.prevalence, color=INK, linewidth=0.6, linestyle=":")
        left.set_yticks(range(len(rows)), [row.name for row in rows])
        left.tick_params(axis="y", length=0)
        right.tick_params(axis="y", length=0)
        return drawing.svg(figure, "leaderboard")


def reliability(board: Leaderboard) -> str:
    """Observed share against predicted risk in bins of equal mass, with the interval over patients; rows beneath."""
    bins = board.reliability
    predicted = np.array([one.predicted for one in bins])
    observed = np.array([one.observed for one in bins])
    top = max(0.05, 1.05 * float(predicted.max()), 1.05 * max(one.high for one in bins))
    with drawing.look():
        figure = drawing.canvas(4.6, 4.8)
        axes, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, top], [0, top], color=INK, linewidth=0.7, linestyle=":")
        low, high = np.array([one.low for one in bins]), np.array([one.high for one in bins])
        axes.fill_between(predicted, low, high, color=BLUE, alpha=0.22, linewidth=0)
        axes.plot(predicted, observed, "o-", color=BLUE, markersize=4.5, linewidth=1.2)
        axes.set(ylabel="observed share", xlim=(0, top), ylim=(0, top))
        beneath.vlines(predicted, 0, [one.count for one in bins], color=BLUE, linewidth=5)
        beneath.set(xlabel="predicted risk", ylabel="rows", ylim=(0, None))
        return drawing.svg(figure, "reliability")


def lead_times(burden: Burden) -> str:
    """Hours from the first true alert to the event, events caught only; the missed ones are named in the title."""
    from matplotlib.ticker import MaxNLocator

    with drawing.look():
        figure = drawing.canvas(4.6, 2.6)
        axes = figure.subplots()
        most = max(8.0, *burden.leads) if burden.leads else 8.0
        axes.hist(burden.leads, bins=np.arange(0, np.ceil(most) + 1).tolist(), color=GREEN, alpha=0.85)
        axes.set_title(f"{burden.caught} of {burden.events} events caught, {burden.events - burden.caught} missed")
        axes.set(xlabel="hours of warning", ylabel="events")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return drawing.svg(figure, "lead-times")


def known_when(known: KnownWhen) -> str:
    """A line from when each item was true to when it could be known; what lay ahead at ``as_of`` is orange."""
    with drawing.look():
        figure = drawing.canvas(10.4, 0.9 + 0.42 * len(known.lanes))
        axes = figure.subplots()
        cut = drawing.times([known.as_of])[0]
        for place, lane in enumerate(reversed(known.lanes)):
            for colour, rows in ((BLUE, lane.available <= known.as_of), (ORANGE, lane.available > known.as_of)):
                true, late = drawing.times(lane.time[rows]), drawing.times(lane.available[rows])
                axes.hlines(np.full(len(true), place), true, late, color=colour, linewidth=1.6, alpha=0.65)
                axes.plot(true, np.full(len(true), place), "o", mfc="none", mec=colour, markersize=4, mew=0.9)
                axes.plot(late, np.full(len(true), place), "|", color=colour, markersize=9, mew=1.6)
        axes.axvline(cut, color=INK, linewidth=1.0)
        axes.annotate(
            " asked here", (cut, 1.0), xycoords=("data", "axes fraction"), va="bottom", ha="left", annotation_clip=False
        )
        axes.set_yticks(range(len(known.lanes)), [lane.label for lane in reversed(known.lanes)])
        axes.set(ylim=(-0.6, len(known.lanes) - 0.4), xlim=drawing.times([known.start, known.end]))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=GREY, alpha=0.2, linewidth=0.6)
        drawing.clock(axes)
        return drawing.svg(figure, "known-when")
