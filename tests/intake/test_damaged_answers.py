"""Whatever a server says, it is looked at without a crash: pages, manifests, NDJSON lines, links, Retry-After."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clinical_jepa.intake import export_files, fhir_pages
from clinical_jepa.intake.allowed import joined, require
from clinical_jepa.intake.export_files import Named
from clinical_jepa.intake.waiting import told
from clinical_jepa.records.errors import BadRequest, FetchFailed
from tests.intake.fhir_site import Caller, Clinic
from tests.intake.server import Request

WORDS = st.sampled_from(
    [
        "resourceType",
        "Bundle",
        "searchset",
        "OperationOutcome",
        "id",
        "meta",
        "lastUpdated",
        "next",
        "2026-01-05T12:00:00Z",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.sampled_from(["resource", "search", "url"]), inner)
    ),
    max_leaves=12,
)


@given(entry=VALUES, link=VALUES, total=VALUES)
def test_a_page_of_any_shape(entry: object, link: object, total: object) -> None:
    body = orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entry, "link": link, "total": total})
    page = fhir_pages.read(body)
    entries = len(entry) if isinstance(entry, list) else 0
    assert len(page.digests) + page.nameless + page.warnings <= entries


@given(body=st.binary(max_size=40) | VALUES.map(orjson.dumps))
def test_any_bytes(body: bytes) -> None:
    assert not fhir_pages.is_searchset(body)
    assert not export_files.is_manifest(body)
    fhir_pages.is_resource(body)


@given(output=st.lists(VALUES, max_size=3), deleted=VALUES, error=VALUES)
def test_a_manifest_of_any_shape(output: list[object], deleted: object, error: object) -> None:
    said = {"transactionTime": "2026-01-05T12:00:00Z", "output": output, "deleted": deleted, "error": error}
    body = orjson.dumps(said)
    assert export_files.is_manifest(body)
    made = export_files.manifest(body)
    listed = [one for section in (output, deleted, error) if isinstance(section, list) for one in section]
    assert len(made.files) + made.odd == len(listed)


@given(
    lines=st.lists(
        st.binary(max_size=20).filter(lambda line: line.strip() and b"\n" not in line) | VALUES.map(orjson.dumps)
    )
)
def test_lines_of_any_kind_are_counted(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path: Path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"\n".join(lines))
    seen = export_files.look(path, Named(section="output", type="Patient", url="", count=None))
    if seen is None:  # by chance the beginning of a gzip file
        assert lines[0].startswith(b"\x1f\x8b")
        return
    assert seen.lines == len(lines)
    assert seen.broken + seen.strange <= seen.lines


@given(said=st.text(max_size=30))
@example(said="²")  # a digit to Unicode, and no number
def test_any_retry_after(said: str) -> None:
    seconds = told({"retry-after": said, "date": said})
    assert seconds is None or seconds >= 0


LINKS = [
    "http://[broken",
    "http://127.0.0.1:99999/",
    "//",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "\x00",
    "http://\x01/",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_leads_nowhere_costs_its_type(clinic: Clinic, caller: Caller, link: str) -> None:
    clinic.fill("Observation", 3)
    sound = clinic.page

    def elsewhere(kind: str, request: Request) -> dict:
        return sound(kind, request) | {"link": [{"relation": "next", "url": link}]}

    clinic.page = elsewhere  # type: ignore[method-assign]
    (report,) = caller.poll()
    assert report.problem
    assert report.new == 0
    assert len(caller.resources()) == 3


@given(link=st.text(max_size=20))
def test_any_link_stays_below_the_base_or_is_refused(link: str) -> None:
    base = "https://ehr.example/fhir"
    try:
        url = require(joined(f"{base}/Observation", link), [base])
    except (BadRequest, FetchFailed):
        return
    assert url.startswith("https://ehr.example")
