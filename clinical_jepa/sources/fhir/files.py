"""Resources out of files, one by one, as bytes: NDJSON lines, Bundle entries, single resources; plain, gzip or zip.

Nothing is parsed here but what holds resources together, so that one bad line, entry or member costs itself only.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import orjson

from clinical_jepa.sources.fhir.damage import DAMAGE, opened, sound
from clinical_jepa.sources.fhir.recognise import SUFFIXES

Json = dict[str, Any]  # one JSON object

_LARGEST = 1 << 30  # bytes of one member of a zip file: more is taken for a bomb
_BOM = b"\xef\xbb\xbf"  # Windows puts it before what is UTF-8; JSON may be read without it (RFC 8259, section 8.1)
_DEEPEST = 8  # Bundles within each other
CHUNK = 64  # lines at a time: few enough that what is made of them stays in a processor's own memory
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Item(NamedTuple):
    """One resource as bytes with its place; or a record that was deleted; or (``problem``) why there is neither."""

    place: str  # "line", "file", "file entry", "member a.json entry"
    number: int  # 0 where the place is the only one
    raw: bytes | None
    problem: str = ""
    url: str = ""  # Bundle.entry.fullUrl
    deleted: str = ""  # "Observation/123"
    moment: str | None = None  # when it was deleted, as the Bundle says it
    skipped: str = ""  # an entry that holds no resource and was not meant to: by kind

    @property
    def record(self) -> str:
        """Where in the file, for a person and for the quarantine."""
        return f"{self.place} {self.number}" if self.number else self.place

    @property
    def ordinary(self) -> bool:
        """True where there are bytes, and nothing is known to be wrong with them."""
        return self.raw is not None and not (self.problem or self.deleted or self.skipped)


class _Head(msgspec.Struct, gc=False):
    resourceType: Any = None


class _Bundle(msgspec.Struct, gc=False):
    entry: msgspec.Raw = msgspec.Raw(b"[]")
    timestamp: Any = None
    meta: Any = None


class _Entry(msgspec.Struct, gc=False):
    fullUrl: Any = None
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: Any = None
    response: Any = None


_head = msgspec.json.Decoder(_Head)
_bundle = msgspec.json.Decoder(_Bundle)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_entry = msgspec.json.Decoder(_Entry)


def items(path: Path) -> Iterator[Item]:
    """Every resource of a file in order. A broken line, entry or member costs itself; a broken end costs the end."""
    number = 0
    for piece in pieces(path):
        if isinstance(piece, Item):
            yield piece
            continue
        for line in piece:
            number += 1
            yield from of_line(line, "line", number)


def pieces(path: Path) -> Iterator[list[bytes] | Item]:
    """The same, but lines of NDJSON as they stand, blank ones too, some at a time: who takes the ordinary ones needs no more."""
    if path.name.endswith(".zip"):
        yield from _zipped(path)
        return
    try:
        file = opened(path)
    except EOFError:
        yield Item("file", 0, None, "the file is empty, and not even a gzip file; send it again whole")
        return
    with file:
        yield from _lines(file, "line") if ".ndjson" in path.name else _document(file, "file")


def of_line(line: bytes, place: str, number: int) -> Iterator[Item]:
    """The resources in a line of NDJSON: none in a blank one, many in a Bundle."""
    raw = line.strip()
    if b'"Bundle"' in raw:
        yield from _parsed(raw, f"{place} {number}")
    elif raw:
        yield Item(place, number, raw)


def kind_of(raw: bytes) -> object:
    """The ``resourceType`` that bytes name, None where they name none; one of ``NO_JSON`` where they are no JSON object."""
    return _head.decode(raw).resourceType


def _zipped(path: Path) -> Iterator[Item]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        yield Item("file", 0, None, f"no zip file that can be opened ({type(error).__name__}); send it again whole")
        return
    with archive:
        for info in archive.infolist():
            place = f"member {info.filename}"
            if not info.filename.endswith(SUFFIXES):
                continue
            if info.file_size > _LARGEST:
                yield Item(place, 0, None, f"larger than {_LARGEST} bytes when unpacked; send it outside the zip file")
                continue
            try:
                with archive.open(info) as file:
                    yield from _member_lines(file, f"{place} line") if ".ndjson" in place else _document(file, place)
            except DAMAGE as error:
                problem = f"the member cannot be unpacked ({type(error).__name__}); send it again whole"
                yield Item(place, 0, None, problem)


def _lines(file: IO[bytes], place: str) -> Iterator[list[bytes] | Item]:
    reader, until = sound(file)
    number, rest = 0, None
    while lines := list(islice(reader, CHUNK)):
        if number == 0:
            lines[0] = lines[0].removeprefix(_BOM)
        if until.damage is not None and not lines[-1].endswith(b"\n") and not _is_object(lines[-1]):
            rest = lines.pop()
        yield lines
        number += len(lines)
    if until.damage is not None:
        problem = f"the file is damaged or ends early after line {number} ({until.damage}); send it again whole"
        yield Item(f"after {place}", number, rest, problem)


def _is_object(raw: bytes) -> bool:
    try:
        kind_of(raw)
    except NO_JSON:
        return False
    return True


def _member_lines(file: IO[bytes], place: str) -> Iterator[Item]:
    number = 0
    for piece in _lines(file, place):
        if isinstance(piece, Item):
            yield piece
            continue
        for line in piece:
            number += 1
            yield from of_line(line, place, number)


def _document(file: IO[bytes], place: str) -> Iterator[Item]:
    reader, until = sound(file)
    raw = reader.read().removeprefix(_BOM)
    if until.damage is not None:
        problem = f"the file cannot be read to its end ({until.damage}); send it again whole"
        yield Item(place, 0, raw or None, problem)
        return
    yield from _parsed(raw, place)


def _parsed(raw: bytes, place: str) -> Iterator[Item]:
    """The entries of a Bundle, those of Bundles in it too; anything else as it is, for the reader to judge."""
    try:
        is_bundle = kind_of(raw) == "Bundle"
        bundle = _bundle.decode(raw) if is_bundle else None
        entries = [] if bundle is None else _list.decode(bundle.entry)
    except msgspec.ValidationError:
        yield Item(place, 0, raw, "" if not _is_bundle(raw) else "a Bundle whose entry is not a list")
        return
    except NO_JSON:
        yield Item(place, 0, raw)
        return
    if bundle is None:
        yield Item(place, 0, raw)
        return
    meta = bundle.meta if isinstance(bundle.meta, dict) else {}
    for number, entry in enumerate(entries, start=1):
        yield from _one(bytes(entry), f"{place} entry", number, (meta.get("lastUpdated"), bundle.timestamp))


def _is_bundle(raw: bytes) -> bool:
    try:
        return kind_of(raw) == "Bundle"
    except NO_JSON:
        return False


def _one(raw: bytes, place: str, number: int, moments: tuple[object, ...]) -> Iterator[Item]:
    try:
        entry = _entry.decode(raw)
    except NO_JSON:
        yield Item(place, number, raw, "a Bundle entry without a resource")
        return
    request = entry.request if isinstance(entry.request, dict) else {}
    response = entry.response if isinstance(entry.response, dict) else {}
    held = bytes(entry.resource)
    if held.startswith(b"{"):
        url = entry.fullUrl if isinstance(entry.fullUrl, str) else ""
        if b'"Bundle"' in held and _is_bundle(held):
            if place.count(" entry") >= _DEEPEST:
                yield Item(place, number, held, "Bundles within Bundles within Bundles: send what they hold one by one")
                return
            yield from _parsed(held, f"{place} {number}")
        else:
            yield Item(place, number, held, url=url)
    elif request.get("method") == "DELETE" and isinstance(request.get("url"), str):
        said = (response.get("lastModified"), *moments)
        moment = next((one for one in said if isinstance(one, str)), None)
        yield Item(place, number, raw, deleted=request["url"], moment=moment)
    elif not held and (response or request.get("method") in ("GET", "HEAD")):
        yield Item(place, number, raw, skipped=f"Bundle entry of a {'response' if response else 'request'}")
    else:
        yield Item(place, number, raw, "a Bundle entry without a resource")


def parsed(item: Item) -> Json | str:
    """The resource of an item, its id taken from the entry's address where it has none; or what is wrong with it."""
    if item.problem or item.raw is None:
        return item.problem
    try:
        body = _loaded(item.raw)
    except orjson.JSONDecodeError as error:
        return f"no valid JSON at character {error.pos} of the {item.record}: mend or drop it and ingest the file again"
    if not isinstance(body, dict):
        return "JSON, but not an object: no FHIR resource"
    if item.url:
        body.setdefault("id", item.url.rpartition(":" if "urn:" in item.url else "/")[2])
    return body


def _loaded(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return _any_number.decode(raw.decode())  # a number that no float holds costs itself, where it is read
        except NO_JSON:
            pass
        raise


_any_number = msgspec.json.Decoder(float_hook=float)
