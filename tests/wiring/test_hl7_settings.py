"""What a site says of its HL7 senders."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import compose, quarantine
from clinical_jepa.wiring.settings import load
from tests.ingest import builders as ingesting
from tests.sources.hl7v2.builders import obx, result


def test_states_without_an_official_meaning_come_from_the_configuration(tmp_path: Path) -> None:
    settings = load({"CLINICAL_JEPA_HL7_STATUSES": "R=preliminary, none=final"}).settings
    assert compose.context(settings, tmp_path).hl7_statuses == {"R": "preliminary", "none": "final"}
    assert compose.context(load({}).settings, tmp_path).hl7_statuses == {}


@pytest.mark.parametrize("text", ["F=preliminary", "R=done", "r=final", "R", "=final", "none=", "RS=final"])
def test_an_official_meaning_stays_and_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=r"hl7\.statuses"):
        compose.hl7_statuses(text)


def test_a_state_that_is_declared_later_takes_effect_by_ingesting_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one.hl7").write_bytes(result(obx("80", status="R")))
    store = Store.open(tmp_path / "store", create=True)
    assert ingesting.run(source, store).total.rejected == 1
    assert ingesting.run(source, store).total.skipped == 1
    assert ingesting.run(source, store, hl7_statuses={"R": "preliminary"}).total.events == 1


def test_a_mended_message_is_taken_from_the_quarantine(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one.hl7").write_bytes(result(obx("80", unit="")))
    store = Store.open(tmp_path / "store", create=True)
    ingesting.run(source, store)
    settings = load({"CLINICAL_JEPA_PATHS_STORE": str(tmp_path / "store")}).settings
    (row,) = quarantine.listed(settings)
    assert row["reason"] == "no-unit"
    accepted, said = quarantine.replay(settings, row["rejection_id"], source, mode="history")
    assert (accepted, "its bytes were read before" in said) == (False, True)
    again = tmp_path / "again.hl7"  # other bytes, the same fault
    assert str(again) in quarantine.write_original(settings, row["rejection_id"], again)
    accepted, said = quarantine.replay(settings, row["rejection_id"], again, mode="history")
    assert (accepted, "refused again" in said) == (False, True)
    assert quarantine.listed(settings) == [row]
    with pytest.raises(BadRequest, match="there already"):
        quarantine.write_original(settings, row["rejection_id"], again)
    mended = tmp_path / "mended"  # of any name: its content says what it is
    mended.write_bytes(store.rejection(row["rejection_id"])["original"].replace(b"|80||", b"|80|/min|"))
    accepted, said = quarantine.replay(settings, row["rejection_id"], mended, mode="history")
    assert (accepted, "ingested 1 events" in said) == (True, True)
    assert quarantine.listed(settings) == []
