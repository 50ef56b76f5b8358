"""What a site says of its HL7 senders."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import compose
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
