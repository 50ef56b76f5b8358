"""A discharge diagnosis is never known before discharge: in either version of FHIR, and whatever is told first."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.instant import iso
from clinical_jepa.store.events import Store
from tests.ingest.builders import LONG_AFTER
from tests.ingest.builders import run as ingested
from tests.sources.fhir.builders import LOINC, facts, read, refusals, write

SUBJECT = {"reference": "Patient/p1"}
NINE, TEN, NOON = "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z", "2026-01-05T12:00:00Z"
CODE = {"coding": [{"system": LOINC, "code": "2524-7"}]}
OF_CONDITION = {"reference": "Condition/c1"}
VERSIONS = ("R4", "R5")


def use(version: str, *codes: str) -> Any:
    concepts = [{"coding": [{"code": code}]} if code else {"text": "at discharge"} for code in codes]
    return concepts if version == "R5" else concepts[0]


def stay(version: str, end: str | None, *codes: str, name: str = "e1", **fields: Any) -> dict[str, Any]:
    """A stay since nine that names the Condition, for the use that the codes say ("": in words alone)."""
    period = {"start": NINE} | ({} if end is None else {"end": end})
    body: dict[str, Any] = {"resourceType": "Encounter", "id": name, "subject": SUBJECT}
    said: dict[str, Any] = {"use": use(version, *codes)} if codes else {}
    if version == "R5":
        body |= {"status": "completed" if end else "in-progress", "class": [{"coding": [{"code": "IMP"}]}]}
        body |= {"actualPeriod": period, "diagnosis": [said | {"condition": [{"reference": OF_CONDITION}]}]}
    else:
        body |= {"status": "finished" if end else "in-progress", "class": {"code": "IMP"}}
        body |= {"period": period, "diagnosis": [said | {"condition": OF_CONDITION}]}
    return body | fields


def diagnosis(recorded: str | None = TEN, **fields: Any) -> dict[str, Any]:
    times = {"onsetDateTime": NINE} | ({} if recorded is None else {"recordedDate": recorded})
    whole = {"resourceType": "Condition", "id": "c1", "subject": SUBJECT, "code": CODE} | times
    return whole | {"clinicalStatus": {"coding": [{"code": "active"}]}} | fields


def known(folder: Path, condition: dict[str, Any], *stays: dict[str, Any]) -> list[object]:
    """When the diagnosis is known, as the reading of its file says; [] where it is held back."""
    write(folder, "Encounter.ndjson", *stays)
    batch = read(write(folder, "Condition.ndjson", condition))
    assert [reason for reason, _ in refusals(batch)] in ([], ["no-time"])
    found = [at for code, _, at, *_ in facts(batch) if code.startswith("CONDITION")]
    assert len(found) + len(batch.rejections) == 1
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", ["DD", "discharge-diagnosis", "final", ""])
def test_it_is_known_when_the_stay_has_ended(version: str, code: str, tmp_path: Path) -> None:
    from fhir.resources import get_fhir_model_class as r5
    from fhir.resources.R4B import get_fhir_model_class as r4

    body = stay(version, NOON, code)
    (r5 if version == "R5" else r4)("Encounter").model_validate(body)
    assert known(tmp_path, diagnosis(), body) == [NOON]


@pytest.mark.parametrize("missing", [{"subject": {"identifier": {"value": "p1"}}}, {"subject": None}])
def test_whose_stay_it_is_does_not_matter(missing: dict[str, Any], tmp_path: Path) -> None:
    open_stay, over = (
        {key: value for key, value in (stay("R4", end, "DD") | missing).items() if value is not None}
        for end in (None, NOON)
    )
    assert known(tmp_path, diagnosis(), open_stay) == []
    assert known(tmp_path, diagnosis(), over) == [NOON]


@pytest.mark.parametrize(
    "damage",
    [
        {"meta": {"lastUpdated": "yesterday"}},
        {"meta": ["odd"]},
        {"meta": {"lastUpdated": 2026}},
        {"meta": {"lastUpdated": "0001-01-01T00:00:00+14:00"}},  # no instant of any calendar here
        {"meta": {"versionId": "9" * 5000}},
        {"subject": [SUBJECT]},
        {"status": "finished", "period": {"start": NINE, "end": "soon"}},
        {"period": "long"},
    ],
)
def test_no_other_damage_of_a_stay_lets_what_it_names_through(damage: dict[str, Any], tmp_path: Path) -> None:
    assert known(tmp_path, diagnosis(), stay("R4", None, "DD") | damage) == []
    odd = stay("R4", None, diagnosis="c1") | damage
    if "subject" not in damage:  # of nobody's Encounter no Condition is held back but those that it names
        assert known(tmp_path, diagnosis(), odd) == []


def test_a_use_in_codes_of_the_house_may_be_discharge(tmp_path: Path) -> None:
    said = {"coding": [{"system": "http://hospital.example/use", "code": "D"}], "text": "Discharge diagnosis"}
    for end, then in ((None, []), (NOON, [NOON])):
        body = stay("R4", end, diagnosis=[{"condition": OF_CONDITION, "use": said}])
        assert known(tmp_path, diagnosis(), body) == then


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_stay_that_did_not_come_about_holds_nothing_back(status: str, tmp_path: Path) -> None:
    wrong = stay("R4", None, "DD", status=status, name="wrong")
    assert known(tmp_path, diagnosis(), wrong) == [TEN]
    assert known(tmp_path, diagnosis(), wrong, stay("R4", NOON, "DD")) == [NOON]
    assert known(tmp_path, diagnosis(), stay("R4", None, "DD"), wrong) == []
    assert known(tmp_path, diagnosis(), stay("R4", NOON, "DD", status=status)) == [NOON]  # it had an end: late is safe


def test_a_finished_stay_without_an_end_was_over_when_its_server_last_changed_it(tmp_path: Path) -> None:
    over = stay("R4", None, "DD", status="finished")
    assert known(tmp_path, diagnosis(), over) == []
    assert known(tmp_path, diagnosis(), over | {"meta": {"lastUpdated": NOON}}) == [NOON]
    assert known(tmp_path, diagnosis(), stay("R4", NOON, "DD", status="unknown")) == [NOON]
    under_way = stay("R4", None, "DD", meta={"lastUpdated": NOON})
    assert known(tmp_path, diagnosis(), under_way) == []


@pytest.mark.parametrize(
    "names", [("1.Encounter.ndjson", "1.Condition.ndjson"), ("ward_Encounter.json", "Condition.json")]
)
def test_the_kind_may_stand_anywhere_in_a_name(names: tuple[str, str], tmp_path: Path) -> None:
    write(tmp_path, names[0], stay("R4", NOON, "DD"))
    batch = read(write(tmp_path, names[1], diagnosis()))
    assert [at for code, _, at, *_ in facts(batch) if code.startswith("CONDITION")] == [NOON]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("codes", [(), ("AD",)])
def test_any_other_diagnosis_is_known_when_it_was_recorded(
    version: str, codes: tuple[str, ...], tmp_path: Path
) -> None:
    assert known(tmp_path, diagnosis(), stay(version, None, *codes)) == [TEN]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("recorded", [TEN, None])
def test_while_the_stay_is_open_it_is_not_known(version: str, recorded: str | None, tmp_path: Path) -> None:
    assert known(tmp_path, diagnosis(recorded), stay(version, None, "DD")) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_one_of_several_uses_is_enough_and_so_is_one_of_several_stays(version: str, tmp_path: Path) -> None:
    both = [stay(version, NOON, "DD"), stay(version, None, "DD", name="e2")]
    assert known(tmp_path, diagnosis(), *both) == []
    if version == "R5":
        assert known(tmp_path, diagnosis(), stay(version, NOON, "AD", "DD")) == [NOON]


def test_the_planned_end_of_a_stay_under_way_is_no_end(tmp_path: Path) -> None:
    assert known(tmp_path, diagnosis(), stay("R4", NOON, "DD", status="in-progress")) == []


def test_a_diagnosis_without_a_date_waits_for_its_own_stay(tmp_path: Path) -> None:
    own = diagnosis(None, encounter={"reference": "Encounter/e1"})
    assert known(tmp_path, own, stay("R4", None)) == []
    assert known(tmp_path, own, stay("R4", NOON)) == [NOON]


def test_what_was_entered_in_error_is_taken_back_all_the_same(tmp_path: Path) -> None:
    wrong = diagnosis(verificationStatus={"coding": [{"code": "entered-in-error"}]})
    assert known(tmp_path, wrong, stay("R4", None, "DD")) == [TEN]


@pytest.mark.parametrize(
    ("version", "diagnoses"),
    [
        ("R4", "c1"),
        ("R4", {"condition": OF_CONDITION}),
        ("R4", [{"condition": OF_CONDITION, "use": [{"coding": [{"code": "DD"}]}]}]),
        ("R4", [{"condition": {"reference": ["Condition/c1"]}, "use": {"coding": [{"code": "DD"}]}}]),
        ("R5", [{"condition": OF_CONDITION, "use": {"coding": [{"code": "DD"}]}}]),
        ("R5", [{"condition": [{"reference": OF_CONDITION}], "use": {"coding": [{"code": "DD"}]}}]),
    ],
)
def test_diagnoses_of_an_unexpected_shape_are_refused_and_let_nothing_through(
    version: str, diagnoses: Any, tmp_path: Path
) -> None:
    body = stay(version, NOON, diagnosis=diagnoses)
    assert known(tmp_path, diagnosis(), body) == []
    assert refusals(read(tmp_path / "Encounter.ndjson")) == [("invalid", "line 1")]


@pytest.mark.parametrize("meta", [{"versionId": "2"}, {"lastUpdated": NOON}, {}])
def test_a_later_version_takes_the_place_of_one_of_an_unexpected_shape(meta: dict[str, str], tmp_path: Path) -> None:
    odd = stay("R4", NOON, diagnosis="c1", meta={"versionId": "1"} if "versionId" in meta else {})
    mended = stay("R4", NOON, "DD", meta=meta)
    for both in ((odd, mended), (mended, odd)):
        assert known(tmp_path, diagnosis(), *both) == ([NOON] if meta else [])


def test_one_that_refers_to_no_condition_is_counted(tmp_path: Path) -> None:
    said = [{"condition": {"display": "sepsis"}, "use": use("R4", "DD")}]
    batch = read(write(tmp_path, "Encounter.ndjson", stay("R4", NOON, diagnosis=said)))
    assert batch.ignored == {"Encounter.diagnosis at discharge that refers to no Condition": 1}


@settings(max_examples=40)
@given(
    st.permutations([stay(version, end, "DD") for version in VERSIONS for end in (None, NOON)] + [diagnosis()]),
    st.booleans(),
)
def test_no_order_of_versions_lets_it_be_known_early(bodies: list[dict[str, Any]], ended: bool) -> None:
    """In one file, all orders give the same: noon where any version has an end, nothing where none has."""
    kept = [body for body in bodies if ended or body["resourceType"] == "Condition" or body["status"] == "in-progress"]
    with tempfile.TemporaryDirectory() as name:
        batch = read(write(Path(name), "all.ndjson", *kept))
        found = [at for code, _, at, *_ in facts(batch) if code.startswith("CONDITION")]
    assert found == ([NOON] if ended else [])


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=12, deadline=None)
@given(order=st.permutations(["open", "ended", "condition"]), together=st.booleans())
def test_no_order_of_runs_lets_it_be_known_early(version: str, order: list[str], together: bool) -> None:
    """A server's spool, ingested after each run or once: the diagnosis stands in the end, and never before noon.

    The stay, open or ended, comes with or before the diagnosis: of a stay that nobody has told of, nothing can be known.
    """
    bodies = {"open": stay(version, None, "DD"), "ended": stay(version, NOON, "DD"), "condition": diagnosis()}
    if order[0] == "condition" and not together:
        order = [order[1], order[0], order[2]]
    with tempfile.TemporaryDirectory() as name:
        spool, store = Path(name) / "spool", Store.open(Path(name) / "store", create=True)
        for number, which in enumerate(order, start=1):
            folder = spool / "server" / f"{number:06d}"
            folder.mkdir(parents=True)
            write(folder, f"{bodies[which]['resourceType']}-a.ndjson", bodies[which])
            if not together or number == len(order):
                ingested(spool, store)
        rows = store.arrivals(-LONG_AFTER, LONG_AFTER * 2).events.to_pylist()
    assert [
        iso(round(row["available_time"].timestamp()) * 1_000_000) for row in rows if row["code"].startswith("CONDITION")
    ] == [NOON]
