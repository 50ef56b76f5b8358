"""A site's own tables: over the shipped ones, checked first, part of what makes an ingested file the same."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.sources.fhir.mapping import canonical
from clinical_jepa.vocabulary import site, tables
from clinical_jepa.vocabulary.codes import by_code, by_name, code_map_hash, codes
from clinical_jepa.vocabulary.units import conversion, ucum_of
from clinical_jepa.wiring import road
from tests.sources.fhir.builders import observation, quantity, read, write

HEAD = {
    "units.csv": "from,to,factor,offset\n",
    "fhir.csv": "system,code,canonical,note\n",
    "variables.csv": "code,name,label,kind,unit,low,high,parent\n",
    "unit_rules.csv": "from,to,factor,offset,codes,why\n",
    "annotations.csv": "annotation,codes,note\n",
    "units_met.csv": "system,written,ucum,why\n",
}


def read_with() -> str:
    """What the FHIR reader reads with."""
    return tables.tables_hash("fhir", ("fhir", "wfdb"))


@pytest.fixture(autouse=True)
def _shipped_tables() -> Iterator[None]:
    yield
    site.use(None)


def folder(tmp_path: Path, **rows: str) -> Path:
    """A site's folder with these rows of these tables."""
    made = tmp_path / "codes"
    made.mkdir(exist_ok=True)
    for name, text in rows.items():
        (made / f"{name}.csv").write_text(HEAD[f"{name}.csv"] + text, encoding="utf-8")
    return made


def test_a_site_adds_rows_and_takes_the_place_of_shipped_ones(tmp_path: Path) -> None:
    loinc, shipped, before, ids = (
        "http://loinc.org",
        code_map_hash(),
        read_with(),
        [one.code for one in codes()],
    )
    assert canonical(loinc, "8331-1") == "LOINC//8310-5"
    assert conversion("gtt", "mL") is None
    site.use(
        folder(
            tmp_path,
            fhir="LOINC,8331-1,,our oral thermometers are broken\nHOUSE,HF,LOINC//8867-4,ours\n",
            units="gtt,mL,0.05,0\n",
            variables="LOINC//8867-4,heart_rate,Heart rate,vital,/min,10,300,\nHOUSE//1,ours,Ours,measure,1,0,5,\n",
            annotations="drops,LOINC//9187-6,\n",
            units_met="free,Stk,/min,\n",
        )
    )
    assert canonical(loinc, "8331-1") is None
    assert canonical("urn:x:HOUSE", "HF") == "LOINC//8867-4"
    assert conversion("gtt", "mL") == (0.05, 0.0)
    assert ucum_of("Stk") == "/min"
    assert (by_name()["heart_rate"].low, by_name()["heart_rate"].id) == (10.0, 0)
    assert [one.code for one in codes()] == [*ids, "HOUSE//1"], "ids keep their places; new ones come after"
    assert code_map_hash() != shipped
    assert read_with() != before
    site.use(None)
    assert (canonical(loinc, "8331-1"), code_map_hash(), read_with()) == ("LOINC//8310-5", shipped, before)
    assert "HOUSE//1" not in by_code()


def test_a_row_of_units_alone_leaves_the_models_code_map_and_changes_the_ingest_key(tmp_path: Path) -> None:
    shipped, before = code_map_hash(), read_with()
    site.use(folder(tmp_path, units="gtt,mL,0.05,0\n"))
    assert code_map_hash() == shipped
    assert read_with() != before


@pytest.mark.parametrize(
    ("table", "text", "said"),
    [
        ("units", "gtt,mL,5%,0\n", r"units\.csv line 2: factor is a number, not '5%'"),
        ("units", "gtt,mL,nan,0\n", r"units\.csv line 2: factor is a number"),
        ("units", "a,mL,1,0\ngtt,mL,,0\n", r"units\.csv line 3: factor is empty"),
        ("units", "gtt,mL,0.05\n", r"units\.csv line 2: has more or fewer cells"),
        ("units", "gtt,mL,0.05,0,x\n", r"units\.csv line 2: has more or fewer cells"),
        ("units", "gtt,mL,1,0\ngtt,mL,2,0\n", r"units\.csv line 3: gtt, mL was said already in 2"),
        ("fhir", "LOINC,1-1,LOINC//8867-5,\n", r"fhir\.csv line 2: LOINC//8867-5 is not .*did you mean LOINC//8867-4"),
        ("variables", "X//1,x,X,vital,1,9,3,\n", r"variables\.csv line 2: low is not below high"),
        ("variables", "X//1,x,X,vitel,1,1,3,\n", r"variables\.csv line 2: kind is one of"),
        ("variables", "X//1,x,X,vital,1,1,3,Y//2\n", r"variables\.csv line 2: parent Y//2 is not"),
        ("unit_rules", "U/d,[iU]/min,1,0,RXNORM//1,why\n", r"unit_rules\.csv line 2: RXNORM//1 is not in"),
    ],
)
def test_a_fault_is_said_with_file_and_line_and_nothing_is_taken(
    table: str, text: str, said: str, tmp_path: Path
) -> None:
    before = read_with()
    with pytest.raises(BadRequest, match=said):
        site.use(folder(tmp_path, **{table: text}))
    assert read_with() == before


def test_a_wrong_column_a_wrong_name_and_no_folder_are_said(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "unit.csv").write_text("from,to\n")
    (made / "fhir.csv").write_text("system,code,canonical\n")
    assert [text.partition("unit.csv")[2] or text.partition("fhir.csv")[2] for text in site.faults(made)] == [
        " line 1: the columns are system,code,canonical,note",
        ": there is no table of this name; did you mean units.csv?",
    ]
    assert "is no folder" in site.faults(tmp_path / "nowhere")[0]


def test_the_setting_puts_the_folder_into_use_and_leaving_it_out_takes_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_SITE_CODES", str(folder(tmp_path, units="gtt,mL,0.05,0\n")))
    road.settings()
    assert conversion("gtt", "mL") == (0.05, 0.0)
    monkeypatch.delenv("CLINICAL_JEPA_SITE_CODES")
    road.settings()
    assert conversion("gtt", "mL") is None


# the OpenMRS concepts of the HIV set, under LOINC's name, and what they are
HIV = {
    "5087AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "LOINC//8867-4",
    "5088AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "LOINC//8310-5",
    "5092AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "LOINC//59408-5",
    "5089AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "LOINC//29463-7",
    "5090AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "LOINC//8302-2",
}


def hiv_values(root: Path) -> dict[str, Counter[float]]:
    """What the files say of these concepts, read as plain JSON."""
    found: dict[str, Counter[float]] = {code: Counter() for code in HIV.values()}
    for path in sorted(root.glob("*.json.gz")):
        for entry in json.loads(gzip.decompress(path.read_bytes()))["entry"]:
            body = entry["resource"]
            if body["resourceType"] == "Observation" and body["code"]["coding"][0]["code"] in HIV:
                found[HIV[body["code"]["coding"][0]["code"]]][body["valueQuantity"]["value"]] += 1
    return found


@pytest.mark.slow
def test_codes_that_lie_are_refused_until_the_site_says_what_they_are(data: Path, tmp_path: Path) -> None:
    root = data / "fhir_synthea_r4" / "bundles_2021_hiv"
    stated = hiv_values(root)
    shipped = read(root)
    assert not set(shipped.events["code"].to_pylist()) & set(HIV.values()), "all of them refused"

    site.use(
        folder(
            tmp_path,
            fhir="".join(f"LOINC,{concept},{code},OpenMRS\n" for concept, code in HIV.items()),
            units="beats/minute,/min,1,0\nC,Cel,1,0\n",
        )
    )
    mended = read(root)
    for code, values in stated.items():
        known = by_code()[code]
        assert known.low is not None
        assert known.high is not None
        plausible = Counter({value: n for value, n in values.items() if known.low <= value <= known.high})
        ours = mended.events.filter(pc.equal(mended.events["code"], code))
        assert Counter(round(value, 3) for value in ours["numeric_value"].to_pylist()) == Counter(
            {round(value, 3): n for value, n in plausible.items()}
        )
        assert set(ours["unit"].to_pylist()) == {known.unit}
    refused = Counter(one.reason for one in shipped.rejections) - Counter(one.reason for one in mended.rejections)
    assert refused["unmapped"] == sum(values.total() for values in stated.values())
    assert sum(values.total() for values in stated.values()) == 320


def test_every_source_reads_its_code_tables_with_the_sites_rows() -> None:
    """A table read past ``tables.rows`` would silently leave out what a site says."""
    package = Path(tables.__file__).parents[1]
    past = [
        path for path in sorted((package / "sources").rglob("*.py")) if '"codes"' in path.read_text(encoding="utf-8")
    ]
    assert past == [], "read code tables by vocabulary.tables.rows(name)"


def test_what_the_fast_path_remembers_of_a_coding_goes_with_the_tables(tmp_path: Path) -> None:
    body = observation("o1", valueQuantity=quantity(72.0, "/min"))

    def code() -> list[str]:
        return read(write(tmp_path, "Observation.ndjson", body)).events["code"].to_pylist()

    assert code() == ["LOINC//8867-4"]
    site.use(folder(tmp_path, fhir="LOINC,8867-4,LOINC//9279-1,a code that lies\n"))
    assert code() == ["LOINC//9279-1"]
    site.use(None)
    assert code() == ["LOINC//8867-4"]


def test_every_table_says_what_tells_its_rows_apart() -> None:
    """A table with too small a key would take two rows of a site for one thing without a word."""
    shipped = {path.name: tables.read(path) for path in (tables.schemas() / "codes").glob("*.csv")}
    assert set(tables.KEYS) | set(site._DATA_SETS) == set(shipped)
    assert {name: len(tables.rows(name)) for name in shipped} == {name: len(rows) for name, rows in shipped.items()}
