"""The example folder, read by hand."""

from __future__ import annotations

import pyarrow.compute as pc

from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.hl7v2.builders import EXAMPLES, facts, read


def at(clock: str) -> str:
    return f"2026-01-05T{clock}Z"


def test_the_ward_says_what_it_says() -> None:
    batch = read(EXAMPLES / "ward.hl7")
    came, lab, fixed, bedside = at("08:02:10"), at("09:30:00"), at("10:15:00"), at("10:00:00")
    assert facts(batch) == {
        ("GENDER//F", None, came, "issued", None, "final"),
        ("MEDS_BIRTH", "1960-01-02T00:00:00Z", came, "issued", None, "final"),
        ("HOSPITAL_ADMISSION//IMP", at("08:00:00"), came, "issued", None, "final"),
        ("TRANSFER_TO", at("08:00:00"), came, "issued", "ICU R1 B4", "final"),
        ("LOINC//2823-3", at("09:00:00"), lab, "issued", 5.9, "preliminary"),
        ("LOINC//2524-7", at("09:00:00"), lab, "issued", 2.4, "final"),
        ("LOINC//10839-9", at("09:00:00"), lab, "issued", "<0.01 ng/mL", "final"),
        ("LOINC//2823-3", at("09:00:00"), fixed, "issued", 4.9, "corrected"),
        ("MDC//150456", bedside, bedside, "issued", 97.0, "final"),
        ("MDC//150456", bedside, bedside, "issued", 95.0, "final"),
        ("LOINC//8480-6", at("09:20:00"), bedside, "issued", 118.0, "final"),
        ("TRANSFER_TO", at("15:00:00"), at("15:00:10"), "issued", "STEPDOWN R9 B1", "final"),
        ("HOSPITAL_DISCHARGE//01", at("19:00:00"), at("19:05:00"), "issued", None, "final"),
    }
    assert {(one.reason, one.record) for one in batch.rejections} == {
        ("unknown-unit", "message 2, OBX 4"),  # a spelling in no table
        ("invalid", "message 4, OBX 1"),  # R has no official meaning
    }
    assert batch.ignored == {"OBX without a value": 1, "OBX demo value": 1, "ORM^O01": 1}


def test_the_correction_is_a_version_of_the_same_fact() -> None:
    events = read(EXAMPLES / "ward.hl7").events
    potassium = events.filter(pc.equal(events["code"], "LOINC//2823-3"))
    assert potassium.num_rows == 2
    assert len(set(potassium["fact_id"].to_pylist())) == 1


def test_two_probes_are_two_facts() -> None:
    events = read(EXAMPLES / "ward.hl7").events
    probes = events.filter(pc.equal(events["code"], "MDC//150456"))
    assert len(set(probes["fact_id"].to_pylist())) == 2


def test_the_merge_links_two_subjects() -> None:
    batch = read(EXAMPLES / "ward.hl7")
    (link,) = batch.links
    assert (link.absorbed, link.survivor, link.active) == (subject_id("mrn", "H0007"), subject_id("mrn", "H1001"), True)
    assert {one.identifier for one in batch.identities} == {"H1001", "H0007"}


def test_a_dump_of_a_line_is_read_frame_by_frame() -> None:
    batch = read(EXAMPLES / "line.mllp")
    assert facts(batch) == {
        ("MDC//147842", at("11:00:00"), at("11:00:00"), "issued", 88.0, "final"),
        ("MDC//147842", at("11:01:00"), at("11:01:00"), "issued", 90.0, "final"),
    }
    assert not batch.rejections
