"""ADT: admissions, beds, discharges, what takes them back, and who is who."""

from __future__ import annotations

import pytest

from clinical_jepa.records.instant import iso
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.hl7v2.builders import PID, adt, facts, message, pv1, read, rejection

ADMITTED = {"f2": "I", "f3": "ICU^R1^B4", "f19": "V7", "f44": "20260105080000+0000"}


def codes(raw: bytes) -> set[tuple[object, ...]]:
    """(code, time, text, status) without the person's own rows."""
    found = facts(read(raw))
    return {(one[0], one[1], one[4], one[5]) for one in found if one[0] not in ("GENDER//F", "MEDS_BIRTH")}


def test_an_admission_has_its_bed_and_its_person() -> None:
    batch = read(adt("A01", pv1(**ADMITTED), evn="20260105080500+0000", when="20260105080600+0000"))
    known = ("2026-01-05T08:06:00Z", "issued")
    assert facts(batch) == {
        ("HOSPITAL_ADMISSION//IMP", "2026-01-05T08:00:00Z", *known, None, "final"),
        ("TRANSFER_TO", "2026-01-05T08:00:00Z", *known, "ICU R1 B4", "final"),
        ("GENDER//F", None, *known, None, "final"),
        ("MEDS_BIRTH", "1960-01-02T00:00:00Z", *known, None, "final"),
    }
    assert set(batch.events["encounter_id"].drop_null().to_pylist()) == {"V7"}


@pytest.mark.parametrize(
    ("letter", "code"),
    [("E", "HOSPITAL_ADMISSION//EMER"), ("B", "HOSPITAL_ADMISSION//IMP"), ("", "HOSPITAL_ADMISSION//UNKNOWN")]
    + [("O", "VISIT//AMB"), ("R", "VISIT//AMB"), ("P", "VISIT//PRENC")],
)
def test_classes(letter: str, code: str) -> None:
    assert code in {one[0] for one in codes(adt("A04", pv1(**ADMITTED | {"f2": letter})))}


def test_without_its_own_time_an_admission_has_the_event_s() -> None:
    visit = pv1(**ADMITTED | {"f44": ""})
    assert ("HOSPITAL_ADMISSION//IMP", "2026-01-05T08:00:00Z", None, "final") in codes(adt("A01", visit))
    happened = "20260105080000+0000||||20260105075500+0000"
    assert ("HOSPITAL_ADMISSION//IMP", "2026-01-05T07:55:00Z", None, "final") in codes(adt("A01", visit, evn=happened))


@pytest.mark.fault(source="hl7v2", fault="missing time of a stay", ends="quarantined as no-time")
def test_a_stay_without_a_time_is_refused() -> None:
    batch = read(adt("A01", pv1(**ADMITTED | {"f44": ""}), evn=""))
    assert [one.reason for one in batch.rejections] == ["no-time", "no-time"]  # the admission and its bed
    assert {one[0] for one in facts(batch)} == {"GENDER//F", "MEDS_BIRTH"}  # known since the message


def versions(*raw: bytes) -> dict[str, list[str]]:
    """For every fact the states of its versions, the newest last."""
    table = read(b"".join(raw)).events.sort_by("available_time")
    found: dict[str, list[str]] = {}
    for row in table.to_pylist():
        found.setdefault(row["fact_id"], []).append(f"{row['code'].partition('//')[0]} {row['status']}")
    return found


@pytest.mark.fault(source="hl7v2", fault="cancelled event", ends="a version that retracts it, from its own time on")
def test_cancels_retract_what_they_name() -> None:
    visit, ends = pv1(**ADMITTED), pv1(**ADMITTED | {"f45": "20260105190000+0000"})
    move = "20260105150100+0000||||20260105150000+0000"
    came = versions(
        adt("A01", visit, when="20260105080600+0000"),
        adt("A11", visit, evn="20260105081500+0000", when="20260105081600+0000"),
        adt("A02", pv1(**ADMITTED | {"f3": "B^9^1"}), evn=move, when="20260105150200+0000"),
        adt("A12", visit, evn=move, when="20260105151000+0000"),
        adt("A03", ends, evn="20260105190400+0000", when="20260105190500+0000"),
        adt("A13", visit, evn="20260105193000+0000", when="20260105193100+0000"),
    )
    assert ["HOSPITAL_ADMISSION final", "HOSPITAL_ADMISSION cancelled"] in came.values()
    assert list(came.values()).count(["TRANSFER_TO final", "TRANSFER_TO cancelled"]) == 2  # first bed, and the move
    assert ["HOSPITAL_DISCHARGE final", "HOSPITAL_DISCHARGE cancelled"] in came.values()


def test_a_cancelled_transfer_without_its_time_says_where_the_patient_is() -> None:
    back = adt("A12", pv1(**ADMITTED), evn="20260105153000+0000")
    assert codes(back) == {("TRANSFER_TO", "2026-01-05T15:30:00Z", "ICU R1 B4", "final")}


def test_an_update_mends_the_admission_and_moves_no_bed() -> None:
    came = versions(
        adt("A01", pv1(**ADMITTED), when="20260105080600+0000"),
        adt("A08", pv1(**ADMITTED | {"f44": "20260105074500+0000", "f3": "X^1^1"}), when="20260105090000+0000"),
    )
    assert ["HOSPITAL_ADMISSION final", "HOSPITAL_ADMISSION amended"] in came.values()
    assert ["TRANSFER_TO final"] in came.values()


def test_a_change_of_class_begins_or_ends_a_stay() -> None:
    became = adt("A06", pv1(**ADMITTED), evn="20260105120000+0000")
    assert ("HOSPITAL_ADMISSION//IMP", "2026-01-05T12:00:00Z", None, "final") in codes(became)
    left = adt("A07", pv1(**ADMITTED), evn="20260105120000+0000")
    assert codes(left) == {
        ("HOSPITAL_DISCHARGE//OUTPATIENT", "2026-01-05T12:00:00Z", None, "final"),
        ("VISIT//AMB", "2026-01-05T12:00:00Z", None, "final"),
    }


def test_death_and_birth_are_the_person_s() -> None:
    dead = PID + "|" * 21 + "20260105113000+0000"
    found = codes(adt("A08", person=dead, when="20260105120000+0000"))
    assert ("MEDS_DEATH", "2026-01-05T11:30:00Z", None, "final") in found


def test_a_birth_that_is_no_date_costs_the_birth_alone() -> None:
    batch = read(adt("A01", pv1(**ADMITTED), person=PID.replace("19600102", "female")))
    assert [(one.reason, one.record) for one in batch.rejections] == [("invalid", "message 1, PID")]
    assert "HOSPITAL_ADMISSION//IMP" in batch.events["code"].to_pylist()


def test_other_events_are_counted() -> None:
    assert read(adt("A54")).ignored == {"ADT^A54": 1}
    assert read(adt("A24")).ignored == {"ADT^A24": 1}  # linked, as mother and child are, is not merged


@pytest.mark.parametrize("event", ["A18", "A34", "A40", "A47"])
@pytest.mark.fault(source="hl7v2", fault="merge", ends="a link of the two subjects, from its own time on")
def test_a_merge_links_the_absorbed_subject_to_the_survivor(event: str) -> None:
    raw = message(
        f"EVN|{event}|20260105120000+0000", PID, "MRG|H9^^^HOSP^MR", kind=f"ADT^{event}", when="20260105121000+0000"
    )
    (link,) = read(raw).links
    assert (link.absorbed, link.survivor, link.active) == (subject_id("mrn", "H9"), subject_id("mrn", "H1"), True)
    assert (iso(link.time), iso(link.available_time)) == ("2026-01-05T12:00:00Z", "2026-01-05T12:10:00Z")


def test_one_message_may_merge_several() -> None:
    other = PID.replace("H1^", "H2^")
    raw = message("EVN|A40|20260105120000+0000", PID, "MRG|H8", other, "MRG|H9", kind="ADT^A40")
    pairs = {(one.absorbed, one.survivor) for one in read(raw).links}
    assert pairs == {(subject_id("mrn", a), subject_id("mrn", b)) for a, b in (("H8", "H1"), ("H9", "H2"))}


def test_an_unlink_undoes_it_in_either_direction() -> None:
    raw = message("EVN|A37|20260106", PID, PID.replace("H1^", "H9^"), kind="ADT^A37")
    links = read(raw).links
    assert {one.active for one in links} == {False}
    assert {(one.absorbed, one.survivor) for one in links} == {
        (subject_id("mrn", "H9"), subject_id("mrn", "H1")),
        (subject_id("mrn", "H1"), subject_id("mrn", "H9")),
    }


@pytest.mark.fault(source="hl7v2", fault="merge without two patients", ends="quarantined as no-subject")
def test_a_merge_without_two_patients_is_refused() -> None:
    evn = "EVN|A40|20260105120000+0000"
    assert rejection(message(evn, PID, "MRG|", kind="ADT^A40")).reason == "no-subject"
    assert rejection(message(evn, PID, "MRG|H1", kind="ADT^A40")).reason == "no-subject"
    assert rejection(message(evn, PID, kind="ADT^A40")).reason == "no-subject"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("H5^^^HOSP^PI~H1^^^HOSP^MR", "H1"),
        ("123456789^^^USA^SS~H5^^^HOSP", "H5"),
        ("H5^3^M11^HOSP", "H5"),
        ("000010016^^^MR~000010017^^^MR", "000010016"),
    ],
)
def test_who_is_meant(field: str, expected: str) -> None:
    batch = read(adt("A28", person=f"PID|1||{field}||MADE^UP||1960|F"))
    assert {one.identifier for one in batch.identities} == {expected}
    assert set(batch.events["subject_id"].to_pylist()) == {subject_id("mrn", expected)}


def test_the_old_external_identifier_counts_where_the_list_is_empty() -> None:
    batch = read(adt("A28", person="PID|1|H1^^^HOSP^MR|||MADE^UP||1960|F"))
    assert {one.identifier for one in batch.identities} == {"H1"}


@pytest.mark.parametrize("person", ["PID|1||||MADE^UP", "PID|1||123456789^^^USA^SS||MADE^UP", "PV1|1|I"])
@pytest.mark.fault(source="hl7v2", fault="no patient", ends="quarantined as no-subject, once a message")
def test_nobody_s_message_is_refused_once(person: str) -> None:
    assert rejection(adt("A01", person=person)).reason == "no-subject"
    results = message(person, *["OBX|1|NM|8867-4^^LN||80|/min|||||F|||20260105090000+0000"] * 3)
    assert rejection(results).reason == "no-subject"


@pytest.mark.fault(source="hl7v2", fault="damaged identifier", ends="quarantined as no-subject")
def test_an_identifier_that_is_no_text_is_nobody_s() -> None:
    raw = adt("A28").replace(b"|H1^", b"|H\xff^")
    assert rejection(raw).reason == "no-subject"
