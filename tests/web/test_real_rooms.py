"""The page on a real store and a real ledger: what a tick committed is shown, and an answer outlives every process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.alerts import Alert
from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.ward import Advance, Patient, TickCommit
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.web.state import WardState
from tests.web.conftest import open_page
from tests.web.fakes import NOW, FakeClock, alert, forecasts, transitions
from tests.web.test_access import sign_in, token
from tests.web.wards import CALM, RAISED, patient, policy

AT = NOW - 4 * MINUTE


def write_store(folder: Path) -> None:
    rows = [*patient(RAISED, sick=1.0), *patient(CALM, sick=0.1)]
    people = tuple(
        Identity(subject_id=subject, namespace="mrn", identifier=f"{subject:06d}") for subject in (RAISED, CALM)
    )
    batch = SourceBatch(events=pa.Table.from_pylist(rows, schema=EVENTS), identities=people)
    Store.open(folder, create=True).append([batch], mode="history", now=NOW, prepare=lambda pixels, spacing: pixels)


def write_tick(ledger: Ledger, raised: Alert) -> None:
    def advance(subject: int, risk: float, open_alert: Alert | None) -> Advance:
        return Advance(
            patient=Patient(
                subject_id=subject,
                encounter_id=None,
                cursor=AT,
                alert=open_alert,
                last_alert_end=None,
                eligibility=b"{}",
            ),
            outcome=forecasts(subject, risk)[-1],
            transitions=tuple(transitions(open_alert)) if open_alert else (),
            messages=(),
        )

    ledger.commit(
        TickCommit(
            now=AT,
            since=0,
            watermark=1,
            memories=(),
            advances=(advance(RAISED, 0.47, raised), advance(CALM, 0.06, None)),
            arrivals=1,
            late_rows=0,
            replayed=0,
        )
    )
    ledger.heartbeat("watch", wall_us(), NOW)


def state(folder: Path) -> WardState:
    return WardState(
        store=Store.open(folder),
        ledger=Ledger.open(folder / "ledger.sqlite"),
        clock=FakeClock(),
        task=policy().task,
        policy=policy(),
    )


def test_an_answer_is_kept_by_the_ledger(tmp_path: Path) -> None:
    write_store(tmp_path)
    write_tick(Ledger.open(tmp_path / "ledger.sqlite"), replace(alert(RAISED, raised=AT), due_at=NOW + MINUTE))
    client = open_page(state(tmp_path))
    page = client.get("/").text
    assert "ICU A / Bed 07" in page
    assert "ICU A / Bed 11" in page
    assert "NOT LIVE" not in page
    assert client.get(f"/bed/{CALM}").status_code == 200
    sign_in(client)
    answer = client.post(
        f"/alerts/{alert(RAISED, raised=AT).alert_id}/acknowledge", data={"token": token(client, f"/bed/{RAISED}")}
    )
    assert answer.status_code == 303
    assert "by N. Osei, charge nurse, 20:00" in open_page(state(tmp_path)).get(f"/bed/{RAISED}").text
    assert [ack.by for ack in Ledger.open(tmp_path / "ledger.sqlite").acknowledgements(NOW)] == [
        "N. Osei, charge nurse"
    ]


def test_what_another_process_ingests_appears(tmp_path: Path) -> None:
    write_store(tmp_path)
    client = open_page(state(tmp_path))
    assert "<b>3.3</b> mmol/L" not in client.get(f"/bed/{CALM}").text
    row = patient(CALM, sick=0.1)[-1] | {
        "code": "LOINC//2524-7",
        "numeric_value": 3.3,
        "event_id": "e" * 32,
        "fact_id": "e" * 32,
    }
    late = SourceBatch(events=pa.Table.from_pylist([row], schema=EVENTS))
    Store.open(tmp_path).append([late], mode="history", now=NOW, prepare=lambda pixels, spacing: pixels)
    assert "<b>3.3</b> mmol/L" in client.get(f"/bed/{CALM}").text
