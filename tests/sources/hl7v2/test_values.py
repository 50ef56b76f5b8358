"""Numbers, words, units, codes and the ways of saying nothing."""

from __future__ import annotations

import pytest

from clinical_jepa.sources.hl7v2.message import unescape
from tests.sources.hl7v2.builders import OBR, PID, message, msh, obx, one_fact, read, rejection, result

LAB = "2823-3^Potassium^LN"


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("NM", "4.1", 4.1),
        ("NM", "+4.1", 4.1),
        ("NM", " 4. ", 4.0),
        ("ST", "4.1", 4.1),  # labs send numbers as text
        ("SN", "^4.1", 4.1),
        ("SN", "=^4.1", 4.1),
        ("SN", "<^1.5", "<1.5 mmol/L"),
        ("NM", "<1.5", "<1.5 mmol/L"),
        ("NM", ">= 9", ">=9 mmol/L"),
        ("SN", "^1^:^128", "1:128 mmol/L"),
        ("SN", "^3^-^5", "3-5 mmol/L"),
        ("NM", "3-5", "3-5 mmol/L"),
        ("ST", "haemolysed", "haemolysed"),
        ("FT", "line one\\.br\\two", "line one\ntwo"),
        ("TX", "a~b", "a\nb"),
        ("TX", "pH & salt", "pH & salt"),
        ("CWE", "260385009^Negative^SCT^NEG^NEG^L", "Negative"),
        ("CE", "NEG", "NEG"),
        ("CWE", "^^^^^^^^seen", "seen"),
    ],
)
def test_values_by_type(kind: str, value: str, said: object) -> None:
    assert one_fact(result(obx(value, "mmol/L", LAB, kind)))[4] == said


@pytest.mark.parametrize("value", ["-999", "-999.0", "-99.9", "no value", "No Value", '""', "", "---"])
@pytest.mark.fault(source="hl7v2", fault="sentinel for no value", ends="counted, no fact")
def test_ways_of_saying_nothing(value: str) -> None:
    batch = read(result(obx(value, "mmol/L", LAB)))
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {"OBX without a value": 1})


@pytest.mark.parametrize("flags", ["DEMO", "N~DEMO", "demo"])
@pytest.mark.fault(source="hl7v2", fault="demo value", ends="counted, no fact")
def test_simulated_values_are_no_facts(flags: str) -> None:
    batch = read(result(obx("80", flags=flags)))
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {"OBX demo value": 1})


@pytest.mark.parametrize(
    ("kind", "value"), [("NM", "high"), ("NM", "4,1"), ("NM", "1e400"), ("NM", "nan?"), ("SN", "^x"), ("NM", "4.1~4.2")]
)
@pytest.mark.fault(source="hl7v2", fault="wrong number", ends="quarantined as invalid")
def test_what_is_no_number_is_refused(kind: str, value: str) -> None:
    refused = rejection(result(obx(value, "mmol/L", LAB, kind)))
    assert refused.reason == "invalid"
    assert value not in refused.message


def test_a_type_that_is_no_result_is_refused_and_waveforms_and_documents_are_counted() -> None:
    assert rejection(result(obx("4.1", "mmol/L", LAB, "FN"))).reason == "invalid"
    assert read(result(obx("1^2~3^4", "mV", "1^^MDC", "MA"))).ignored == {"OBX waveform (MA)": 1}
    assert read(result(obx("x", "", "18748-4^^LN", "ED"))).ignored == {"OBX document (ED)": 1}


@pytest.mark.parametrize(
    ("code", "unit", "value", "kept"),
    [
        ("8310-5^Temp^LN", "[degF]", "98.6", 37.0),
        ("8310-5^Temp^LN", "degC", "37", 37.0),
        ("8310-5^Temp^LN", "Cel^degree^UCUM", "37", 37.0),
        ("8480-6^Sys^LN", "mmHg", "120", 120.0),
        ("8480-6^Sys^LN", "kPa", "16", 120.01),
        ("150456^SpO2^MDC", "262688^MDC_DIM_PERCENT^MDC", "97", 97.0),
        ("150456^SpO2^MDC", "x^y^99Z^%^percent^UCUM", "97", 97.0),
        ("150456^SpO2^MDC", "MDC_DIM_PERCENT^^MDC", "97", 97.0),
        ("718-7^Hb^LN", "g/L", "134", 13.4),
        ("718-7^Hb^LN", "gm/dl", "13.4", 13.4),
        ("6690-2^WBC^LN", "K/uL", "7.3", 7.3),
        ("9269-2^GCS^LN", "", "15", 15.0),  # a score has no unit
        ("2744-1^pH^LN", "", "7.4", 7.4),
    ],
)
def test_units_in_their_usual_spellings(code: str, unit: str, value: str, kept: float) -> None:
    assert one_fact(result(obx(value, unit, code)))[4] == pytest.approx(kept, abs=0.01)


@pytest.mark.parametrize("unit", ["C", "F", "degrees", "mg/dL"])
@pytest.mark.fault(source="hl7v2", fault="wrong unit", ends="quarantined as unknown-unit")
def test_a_unit_that_is_not_certain_is_refused(unit: str) -> None:
    assert rejection(result(obx("37", unit, "8310-5^Temp^LN"))).reason == "unknown-unit"


@pytest.mark.fault(source="hl7v2", fault="missing unit", ends="quarantined as no-unit")
def test_a_number_without_a_unit_is_not_guessed() -> None:
    assert rejection(result(obx("37", "", "8310-5^Temp^LN"))).reason == "no-unit"


@pytest.mark.fault(source="hl7v2", fault="implausible value", ends="quarantined as implausible")
def test_limits_hold_here_too() -> None:
    assert rejection(result(obx("800"))).reason == "implausible"


@pytest.mark.parametrize(
    ("coding", "unit", "code"),
    [
        ("8331-1^Oral^LN", "Cel", "LOINC//8310-5"),
        ("HR^Heart rate^99WARD", "bpm", "MDC//147842"),
        ("XX^Rate^99OTHER^147842^MDC_ECG_HEART_RATE^MDC", "bpm", "MDC//147842"),  # the alternate leads to a listed one
        ("150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "mmHg", "LOINC//8480-6"),
        ("ABC^Something^99OTHER", "bpm", "99OTHER//ABC"),
        ("ABC", "bpm", "LOCAL//ABC"),
        ("ABC^Something^a sentence about it", "bpm", "LOCAL//ABC"),
    ],
)
def test_codes(coding: str, unit: str, code: str) -> None:
    assert one_fact(result(obx("37", unit, coding)))[0] == code


@pytest.mark.parametrize("coding", ["", "^Words only", "ZZLIE^x^99WARD", "abc^x^LN"])
@pytest.mark.fault(source="hl7v2", fault="code that lies", ends="quarantined as unmapped")
def test_codes_that_must_not_be_trusted(coding: str) -> None:
    assert rejection(result(obx("37", "/min", coding))).reason == "unmapped"


def test_a_damaged_code_is_not_shown_in_the_message() -> None:
    assert "DOE" not in rejection(result(obx("37", "furlong", "DOE JANE"))).message


def test_escapes() -> None:
    plain = "|^~\\&"
    assert unescape("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", plain, "ascii") == "a|b^c&d~e\\f"
    assert unescape("\\X41C3A4\\", plain, "utf-8") == "Aä"
    assert unescape("\\H\\bold\\N\\ \\.sp2\\x\\Zmine\\", plain, "ascii") == "bold \nx"
    assert unescape("a\\b", plain, "ascii") == "a\\b"  # a lone escape character stands for itself


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("ISO IR6~ISO IR87", "iso2022_jp")],
)
def test_character_sets(declared: str, codec: str) -> None:
    word = "心" if codec == "iso2022_jp" else "Krämpfe"
    raw = message(PID, OBR, obx(word, "", "18748-4^^LN", "ST"), codec=codec, rest="||||||" + declared)
    assert one_fact(raw)[4] == word


@pytest.mark.fault(source="hl7v2", fault="wrong character set", ends="what uses the bytes is quarantined as unreadable")
def test_bytes_that_are_no_text_cost_only_what_uses_them() -> None:
    words = obx("Krämpfe", "", "18748-4^^LN", "ST")
    batch = read(message(PID.replace("MADE", "MÄDE"), OBR, words, obx("80"), codec="latin-1"))
    assert [one.reason for one in batch.rejections] == ["unreadable"]
    assert batch.events["code"].to_pylist() == ["LOINC//8867-4"]


def test_own_separators() -> None:
    raw = result().decode().replace("|", "*").replace("^~\\&", "@#!%").replace("^", "@").encode()
    assert one_fact(raw)[4] == 80.0


def test_a_doubled_escape_character_is_taken_as_one() -> None:
    doubled = result(obx("a \\T\\ b", "", "18748-4^^LN", "ST")).replace(b"^~\\&", b"^~\\\\&")
    assert one_fact(doubled)[4] == "a & b"


@pytest.mark.parametrize(
    "header", ["MSH", "MSH|", "MSH|^^\\&|A|B|||2026||ORU^R01|1", "MSH|^~\\&|A|B|||2026||{}|1", msh(kind="")]
)
@pytest.mark.fault(source="hl7v2", fault="damaged header", ends="quarantined as unreadable")
def test_a_header_that_cannot_be_used(header: str) -> None:
    refused = rejection(header.encode() + b"\r" + PID.encode())
    assert (refused.reason, refused.original) == ("unreadable", header.encode() + b"\r" + PID.encode())
