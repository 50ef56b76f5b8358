"""The leakage check on a small scripted ward: it passes as things are, and sees each seeded mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clinical_jepa.evaluate.checks.leakage import (
    AsOfTime,
    LeakageReport,
    _known_at_once,
    _left_behind,
    check_leakage,
    copied,
    cut_times,
)
from clinical_jepa.evaluate.checks.raw import available, raw, store_of
from clinical_jepa.evaluate.checks.scramble import scrambled
from clinical_jepa.evaluate.checks.script import START, Line, admission, at, batch, random_ward
from clinical_jepa.evaluate.checks.truth import knowable, stamped_early
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.store.chains import view
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import Reader
from tests.monitor.scenes import plain
from tests.store.ticks import T0, abstention, alert, forecast, memory, message, tick, transition


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leakage") / "store"
    Store.open(folder, create=True).append([batch(random_ward(5, 10, 3))], mode="history", now=START, prepare=plain)
    return folder


def test_nothing_of_the_future_changes_anything_and_each_mistake_is_seen(ward: Path) -> None:
    report = check_leakage(ward, pairs=40, cuts=6, seed=1)
    assert report.passed, report.figure
    assert (report.pairs >= 40, report.changed) == (True, 0)
    assert report.by_time_changed > 0
    assert report.past_changed > report.pairs / 10
    assert report.figure.startswith(f"leakage: 0 of {report.pairs} ")


def test_a_report_without_its_controls_does_not_pass() -> None:
    good = LeakageReport(
        cuts=1, pairs=5, wanted=5, changed=0, by_time_changed=1, past_changed=1, truth=None, stamped_early=0
    )
    assert good.passed
    assert replace(good, pairs=6).passed
    assert "TOO FEW" not in good.figure
    assert "TOO FEW" in replace(good, pairs=4).figure
    for wrong in ({"changed": 1}, {"pairs": 4}, {"pairs": 0, "wanted": 0}, {"by_time_changed": 0}, {"past_changed": 0}):
        assert not replace(good, **wrong).passed


def test_fewer_pairs_than_wanted_are_no_answer(ward: Path) -> None:
    report = check_leakage(ward, pairs=10_000, cuts=1, seed=1)
    assert (report.wanted, report.changed, report.passed) == (10_000, 0, False)
    assert 0 < report.pairs < report.wanted


def test_a_store_that_tells_of_rows_too_early_is_found(ward: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake is in the path that is checked, on both sides of the comparison, not in one of the controls."""
    honest = Store._known

    def early(store: Store, manifest: Manifest) -> Reader:
        known = honest(store, manifest)
        assert isinstance(known, Reader)
        return replace(known, views={kind: view(_known_at_once(one.table)) for kind, one in known.views.items()})

    monkeypatch.setattr(Store, "_known", early)
    report = check_leakage(ward, pairs=10, cuts=3, seed=1)
    assert report.changed > 0
    assert not report.passed
    assert report.figure.startswith(f"leakage: {report.changed} of {report.pairs} ")


def after(**other: Any) -> dict[int, tuple[Any, ...]]:
    """What is left behind of a tick with one alert; ``other``: in place of one part of it."""
    said = tick(T0, outcomes=[forecast(1), forecast(2)], alert=alert(), transitions=[transition()], messages=["k"])
    first = said.advances[0]
    parts = {
        "outcome": first.outcome,
        "patient": first.patient,
        "transitions": first.transitions,
        "messages": first.messages,
        "memory": memory(1, T0),
    }
    assert other.keys() <= parts.keys()
    parts |= other
    blob = parts.pop("memory")
    ledger = Ledger.open(":memory:")
    changed = replace(first, **parts)
    ledger.commit(replace(said, advances=(changed, *said.advances[1:]), memories=(blob, *said.memories[1:])))
    return dict(_left_behind(ledger, T0))


@pytest.mark.parametrize(
    "other",
    [
        {"memory": memory(1, T0, b"other")},
        {"outcome": forecast(1, risk=0.41)},
        {"outcome": abstention(1)},
        {"patient": replace(tick(T0, alert=alert()).advances[0].patient, eligibility=b"{1}")},
        {"transitions": ()},
        {"transitions": (transition(risk=0.41),)},
        {"messages": ()},
        {"messages": (replace(message("k"), payload=b"other"),)},
    ],
    ids=["memory", "risk", "silence", "eligibility", "no transition", "transition", "no message", "payload"],
)
def test_each_part_that_a_tick_leaves_behind_is_compared(other: dict[str, Any]) -> None:
    one, two = after(), after(**other)
    assert one == after()
    assert one[1] != two[1]
    assert one[2] == two[2]


def test_scrambling_leaves_what_was_known_alone_and_little_of_the_rest(ward: Path) -> None:
    rows, cut = raw(Store.open(ward)), at(300)
    other = scrambled(rows, cut, np.random.default_rng(0))
    before, after = (one.tables["events"].filter(available(one.tables["events"]) <= cut) for one in (rows, other))
    assert before.equals(after)
    later = other.tables["events"].filter(available(other.tables["events"]) > cut)
    kept = {(row["event_id"], row["numeric_value"], row["subject_id"]) for row in later.to_pylist()}
    true = {(row["event_id"], row["numeric_value"], row["subject_id"]) for row in rows.tables["events"].to_pylist()}
    assert len(kept & true) < 0.5 * len(kept)
    past_facts = set(before["fact_id"].to_pylist())
    assert sum(fact in past_facts for fact in later["fact_id"].to_pylist()) > 0.2 * later.num_rows
    gone = scrambled(rows, cut, np.random.default_rng(0), remove=True)
    assert available(gone.tables["events"]).max() <= cut


def test_a_store_made_of_rows_answers_as_the_original(ward: Path, tmp_path: Path) -> None:
    original = Store.open(ward)
    copy = store_of(raw(original), tmp_path / "copy")
    left, right = original.arrivals(at(60), at(400), known_commits=1), copy.arrivals(at(60), at(400), known_commits=1)
    assert left.events.equals(right.events)
    assert (left.origins, left.rewind, left.watermark) == (right.origins, right.rewind, right.watermark)


def test_the_planted_rule_goes_by_time(tmp_path: Path) -> None:
    Store.open(tmp_path, create=True).append(
        [batch([*admission(1), Line(subject=1, time=10, value=80, known=50)])], mode="history", now=START, prepare=plain
    )
    wrong, right = AsOfTime.open(tmp_path), Store.open(tmp_path)
    assert wrong.arrivals(BEGINNING, at(20)).events.num_rows == 3
    assert right.arrivals(BEGINNING, at(20)).events.num_rows == 2
    assert wrong.with_codes([""], at(20)).num_rows == 3
    assert right.with_codes([""], at(20)).num_rows == 2


def test_cut_times_are_whole_minutes_in_order_and_enough(ward: Path) -> None:
    store = Store.open(ward)
    found = cut_times(store, raw(store), pairs=60, cuts=5, chance=np.random.default_rng(0))
    assert found == sorted(set(found))
    assert all(cut % 60_000_000 == 0 for cut in found)
    assert len(found) >= 12


def test_a_copied_ledger_is_apart_from_the_original() -> None:
    ledger = Ledger.open(":memory:")
    ledger.heartbeat("a", 1, 1)
    copy = copied(ledger)
    copy.heartbeat("b", 2, 2)
    assert (set(ledger.heartbeats()), set(copy.heartbeats())) == ({"a"}, {"a", "b"})


def told(folder: Path, facts: list[tuple[str, float, float, float, int, str]]) -> Path:
    """A truth of pressures: identifier, minute, minute at which it is knowable, value, version, status."""
    frame = pl.DataFrame(
        [
            {
                "identifier": who,
                "code": "LOINC//8478-0",
                "time": at(time),
                "knowable_time": at(known),
                "value": value,
                "version": version,
                "status": status,
            }
            for who, time, known, value, version, status in facts
        ],
        schema_overrides={"time": pl.Datetime("us"), "knowable_time": pl.Datetime("us")},
    )
    frame.write_parquet(folder / "facts.parquet")
    return folder


def test_the_truth_bounds_each_version_by_itself(tmp_path: Path) -> None:
    """A correction that claims to have been there with the original is too early, whatever the original's time."""
    truth = told(tmp_path, [("1", 10, 20, 80.0, 1, "final"), ("1", 10, 60, 70.0, 2, "amended")])
    store = Store.open(tmp_path / "store", create=True)
    lines = [
        Line(subject=1, time=10, known=20, value=80.0, fact="a"),
        Line(subject=1, time=10, known=59, value=70.0, fact="a", status="amended"),
    ]
    store.append([batch(lines)], mode="history", now=START, prepare=plain)
    found = knowable(raw(store), truth)
    assert (found.rows, found.known, found.early) == ({"script": 2}, {"script": 2}, {"script": 1})


def test_a_source_stamped_with_the_time_it_is_about_is_found(tmp_path: Path) -> None:
    truth = told(tmp_path, [("1", 10, 20, 80.0, 1, "final"), ("1", 30, 30, 70.0, 1, "final")])
    store = Store.open(tmp_path / "store", create=True)
    lines = [Line(subject=1, time=10, known=20, value=80.0), Line(subject=1, time=30, value=70.0)]
    store.append([batch(lines)], mode="history", now=START, prepare=plain)
    rows = raw(store)
    assert knowable(rows, truth).too_early == 0
    assert knowable(stamped_early(rows, "script"), truth).too_early == 1
    assert knowable(rows, truth).share_known == 1.0
