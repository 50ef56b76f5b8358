"""Waveforms that their source corrects or takes back, from its files into the store, in any order of them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import KeyObjectSelectionDocumentStorage

from clinical_jepa.ingest import ingest
from clinical_jepa.records.instant import END, to_us
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.store.events import Store
from tests.sources.dicom import test_waveforms as dicom
from tests.sources.dicom.builders import dataset, ramp, save
from tests.sources.fhir.builders import quantity
from tests.sources.fhir.test_sampled import MDC, ecg
from tests.sources.hl7v2.builders import PID, message
from tests.sources.hl7v2.test_waves import OBR, RATE, wave

Write = Callable[[Path], Any]


def at(clock: str) -> int:
    return to_us(datetime.fromisoformat(f"2026-01-05T{clock}Z"))


def run(store: Store, folder: Path, mode: Any = "history", now: int = 0) -> None:
    def prepare(pixels: np.ndarray, spacing: object) -> np.ndarray:
        return np.zeros((64, 64), np.float32)

    ingest([folder], store, mode=mode, now=lambda: now, context=ReadContext(root=folder), prepare=prepare)


def told(folder: Path, writes: dict[str, Write], order: tuple[str, ...]) -> Store:
    """A store that was told these things in this order, each in a folder of its own."""
    store = Store.open(folder / f"store-{'-'.join(order)}", create=True)
    for name in order:
        unit = folder / name
        if not unit.exists():
            unit.mkdir()
            writes[name](unit)
        run(store, unit)
        store = Store.open(store.path)
    return store


def strip(store: Store, as_of: int) -> list[tuple[str, list[float]]]:
    """Channel and samples of every piece seen as of then, in order of time."""
    rows = store.arrivals(0, as_of).signals.sort_by([("channel", "ascending"), ("time", "ascending")]).to_pylist()
    return [(row["channel"], np.round(store.samples(row["reference"]), 3).tolist()) for row in rows]


def lines(*bodies: dict[str, Any]) -> Write:
    return lambda folder: (folder / "Observation.ndjson").write_bytes(b"\n".join(map(orjson.dumps, bodies)))


def version(number: int, issued: str, **fields: Any) -> dict[str, Any]:
    """A version of one ECG of 1 Hz; ``data`` are its samples."""
    data = {"data": fields.pop("data")} if "data" in fields else {}
    meta = {"versionId": str(number), "lastUpdated": f"2026-01-05T{issued}Z"}
    return ecg(period=1000, factor=1, origin=quantity(0, "mV"), **data) | {
        "issued": f"2026-01-05T{issued}Z",
        "meta": meta,
        **fields,
    }


LONG, SHORT = "1 2 3 4 5 " * 30, "7 8 9"
FHIR = {
    "first": lines(version(1, "09:30:00", data=LONG, status="preliminary")),
    "amended": lines(version(2, "10:00:00", data=SHORT)),
    "wrong": lines(version(3, "11:00:00", data=SHORT, status="entered-in-error")),
    "deleted": lambda folder: (folder / "b.json").write_bytes(
        orjson.dumps(
            {
                "resourceType": "Bundle",
                "type": "history",
                "entry": [
                    {
                        "request": {"method": "DELETE", "url": "Observation/o1"},
                        "response": {"lastModified": "2026-01-05T12:00:00Z", "status": "204"},
                    }
                ],
            }
        )
    ),
}


def samples(text: str) -> list[float]:
    return [float(one) for one in text.split()]


@pytest.mark.fault(
    source="fhir",
    fault="waveform corrected",
    ends="every piece of the old version is gone from when the new one is known",
)
@pytest.mark.fault(
    source="fhir", fault="waveform withdrawn", ends="no piece of it is seen from then on; before, all are"
)
@pytest.mark.parametrize("end", ["wrong", "deleted"])
def test_a_fhir_waveform_is_amended_and_taken_back_in_any_order(tmp_path: Path, end: str) -> None:
    long = samples(LONG)
    for order in itertools.permutations(["first", "amended", end]):
        store = told(tmp_path, FHIR, order)
        before = [("ECG", long[:60]), ("ECG", long[60:120]), ("ECG", long[120:])]
        assert strip(store, at("09:59:59")) == before
        assert strip(store, at("10:00:00")) == strip(store, at("10:59:59")) == [("ECG", samples(SHORT))]
        assert strip(store, END) == []
        rewound = store.arrivals(at("09:59:00"), at("10:00:00")).rewind
        assert list(rewound.values()) == [at("09:30:00")]


def test_a_preliminary_waveform_gives_way_to_a_shorter_final_one_that_says_nothing_of_versions(tmp_path: Path) -> None:
    said = {
        "first": lines(version(1, "09:30:00", data=LONG, status="preliminary") | {"meta": {}}),
        "final": lines(version(1, "10:00:00", data=SHORT) | {"meta": {}}),
    }
    for order in itertools.permutations(said):
        store = told(tmp_path, said, order)
        assert len(strip(store, at("09:59:59"))) == 3
        assert strip(store, END) == [("ECG", samples(SHORT))]


def test_a_correction_that_shows_no_waveform_or_one_channel_less_leaves_none_of_the_old(tmp_path: Path) -> None:
    def panel(number: int, issued: str, *codes: str, **fields: Any) -> dict[str, Any]:
        whole = version(number, issued, data=SHORT, **fields)
        value = whole.pop("valueSampledData")
        coded = [{"coding": [{"system": MDC, "code": code}]} for code in codes]
        return whole | {"component": [{"code": code, "valueSampledData": value} for code in coded]}

    emptied = version(2, "10:00:00")
    del emptied["valueSampledData"]
    said = {
        "whole": lines(version(1, "09:30:00", data=LONG)),
        "emptied": lines(emptied | {"dataAbsentReason": {"coding": [{"code": "error"}]}}),
        "panel": lines(panel(1, "09:30:00", "131329", "131330", id="o2")),
        "less": lines(panel(2, "10:00:00", "131330", id="o2")),
    }
    for order in (("whole", "emptied"), ("emptied", "whole")):
        store = told(tmp_path, said, order)
        assert (len(strip(store, at("09:59:59"))), strip(store, END)) == (3, [])
    for order in (("panel", "less"), ("less", "panel")):
        store = told(tmp_path, said, order)
        assert [channel for channel, _ in strip(store, at("09:59:59"))] == ["ECG", "ECG//I"]
        assert strip(store, END) == [("ECG", samples(SHORT))]


def hl7(values: str, when: str, status: str = "F", **fields: str) -> Write:
    raw = message(PID, OBR, wave(values, status=status, **fields), RATE.format(1), when=f"20260105{when}+0000")
    return lambda folder: (folder / "one.hl7").write_bytes(raw)


HL7 = {
    "first": hl7("^".join(LONG.split()), "093000", "P"),
    "corrected": hl7("7^8^9", "100000", "C"),
    "wrong": hl7("", "110000", "W"),
    "deleted": lambda folder: (folder / "one.hl7").write_bytes(
        message(PID, OBR, "OBX|1||131330^MDC_ECG_ELEC_POTL_II^MDC|1.1.1.1|||||||X", when="20260105110000+0000")
    ),
    "emptied": hl7('""', "110000", "C"),
}


@pytest.mark.fault(
    source="hl7v2",
    fault="waveform corrected",
    ends="every piece of the old version is gone from when the new one is known",
)
@pytest.mark.fault(
    source="hl7v2", fault="waveform withdrawn", ends="no piece of it is seen from then on; before, all are"
)
@pytest.mark.parametrize("end", ["wrong", "deleted", "emptied"])
def test_an_hl7_waveform_is_corrected_and_taken_back_in_any_order(tmp_path: Path, end: str) -> None:
    long = samples(LONG)
    for order in itertools.permutations(["first", "corrected", end]):
        store = told(tmp_path, HL7, order)
        assert strip(store, at("09:59:59")) == [("ECG", long[:60]), ("ECG", long[60:120]), ("ECG", long[120:])]
        assert strip(store, at("10:00:00")) == strip(store, at("10:59:59")) == [("ECG", [7.0, 8.0, 9.0])]
        assert strip(store, END) == []
        assert store.arrivals(0, END).events.num_rows == 0


def note(selected: list[str], title: str = "113001", clock: str = "120000", **changes: Any) -> Write:
    def write(folder: Path) -> None:
        made = dataset(None, **{"Modality": "KO", "ContentDate": "20260105", "ContentTime": clock} | changes)
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = KeyObjectSelectionDocumentStorage
        heading, content = Dataset(), []
        heading.CodeValue, heading.CodingSchemeDesignator, heading.CodeMeaning = title, "DCM", "a title"
        for instance in selected:
            item, reference = Dataset(), Dataset()
            reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", instance
            item.ValueType, item.ReferencedSOPSequence = "COMPOSITE", Sequence([reference])
            content.append(item)
        made.ConceptNameCodeSequence, made.ContentSequence = Sequence([heading]), Sequence(content)
        made.save_as(folder / "note.dcm", enforce_file_format=True)

    return write


def strip_of(seconds: int, clock: str) -> Write:
    stored = np.arange(250 * seconds)[:, None] % 7
    created = {"InstanceCreationDate": "20260105", "InstanceCreationTime": clock, "SOPInstanceUID": "1.2.3"}
    return lambda folder: dicom.ecg(folder, dicom.group(stored, [dicom.channel()]), **created)


DICOM = {
    "first": strip_of(150, "093000"),
    "mended": strip_of(50, "100000"),
    "picture": lambda folder: save(
        folder, ramp(), SOPInstanceUID="1.2.4", InstanceCreationDate="20260105", InstanceCreationTime="093000"
    ),
    "note": note(["1.2.3", "1.2.4", "1.2.99"]),
    "kept long enough": note(["1.2.3", "1.2.4"], "113039", "120000"),
}


@pytest.mark.fault(
    source="dicom",
    fault="waveform corrected",
    ends="every piece of the old version is gone from when the new one was created",
)
@pytest.mark.fault(
    source="dicom",
    fault="rejection note",
    ends="no picture and no piece that it selects is seen from then on; before, all are",
)
def test_a_dicom_waveform_is_corrected_and_rejected_in_any_order(tmp_path: Path) -> None:
    for order in itertools.permutations(["first", "mended", "picture", "note"]):
        store = told(tmp_path, DICOM, order)
        seen = [
            (found.signals["samples"].to_pylist(), found.images.num_rows)
            for found in (store.arrivals(0, at(clock)) for clock in ("09:59:59", "10:00:00", "11:59:59", "12:00:00"))
        ]
        assert seen == [([15000, 15000, 7500], 1), ([12500], 1), ([12500], 1), ([], 0)]


def test_a_selection_that_rejects_nothing_takes_nothing_back(tmp_path: Path) -> None:
    store = told(tmp_path, DICOM, ("first", "picture", "kept long enough"))
    assert (store.arrivals(0, END).signals.num_rows, store.arrivals(0, END).images.num_rows) == (3, 1)


@pytest.mark.parametrize(
    ("write", "reason"),
    [(note([]), "invalid"), (note(["1.2.3"], ContentTime=None, StudyTime=None, AcquisitionTime=None), "no-time")],
)
def test_a_note_without_objects_or_time_is_refused(tmp_path: Path, write: Write, reason: str) -> None:
    store = told(tmp_path, {"first": DICOM["first"], "bad": write}, ("first", "bad"))
    assert store.rejections()["reason"].to_pylist() == [reason]
    assert store.arrivals(0, END).signals.num_rows == 3


@settings(max_examples=15, deadline=None)
@given(st.permutations([("fhir", name) for name in FHIR] + [("hl7", name) for name in HL7]), st.randoms())
def test_live_the_order_of_receipt_decides_and_nothing_received_is_forgotten(order: list, chance: Any) -> None:
    """Live, a version counts from when it came; what came again changes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder, answers = Path(name), []
        for run_number in range(2):
            store = Store.open(folder / f"store{run_number}", create=True)
            for number, (kind, what) in enumerate(order, 1):
                unit = folder / f"{kind}-{what}"
                if not unit.exists():
                    unit.mkdir()
                    (FHIR if kind == "fhir" else HL7)[what](unit)
                run(store, unit, "live", number * 1000)
                if run_number and chance.random() < 0.5:
                    again = order[chance.randrange(number)]
                    run(store, folder / "-".join(again), "live", number * 1000 + 500)
                    store = Store.open(store.path)
            answers.append([strip(store, (number + 1) * 1000 - 1) for number in range(len(order) + 1)])
        assert answers[0] == answers[1]
