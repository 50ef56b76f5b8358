"""One typed file (``clinical-jepa.toml``), overridden by ``CLINICAL_JEPA_*`` and by flags, in that order.

A key is ``section.name``; its variable is ``CLINICAL_JEPA_SECTION_NAME``. Nothing else in the package reads the
environment. ``CLINICAL_JEPA_DATA`` is reserved for the tests' real files.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clinical_jepa.records.errors import BadRequest

FILE = "clinical-jepa.toml"
_PREFIX = "CLINICAL_JEPA_"
_RESERVED = {"CLINICAL_JEPA_DATA"}


@dataclass(frozen=True, kw_only=True)
class Site:
    zone: str = "UTC"  # of naive times in sources, and of times shown on the page
    namespace: str = "mrn"  # who issued the identifiers in the sources
    identity_key: str = ""  # secret of the subject ids; only from the environment
    trust_last_updated: bool = False  # meta.lastUpdated is a true reporting time here
    strict: bool = False  # every FHIR resource is validated in full before it is read
    clock_offsets: str = (
        ""  # table of how far the clocks of monitors stand off, applied at ingest; empty: none is moved
    )
    codes: str = ""  # folder of the site's own code tables (units.csv, fhir.csv, …), laid over the shipped ones


@dataclass(frozen=True, kw_only=True)
class Delays:
    """How long, in minutes, each kind of fact takes to reach the record where its source does not say; -1: not known here."""

    image: int = 30
    lab: int = 60
    chart: int = 0
    diagnosis: int = 0
    monitor: int = 0
    stay: int = -1
    treatment: int = -1


@dataclass(frozen=True, kw_only=True)
class Hl7:
    statuses: str = ""  # what OBX-11 letters without an official meaning mean here, e.g. "R=preliminary,none=final"


@dataclass(frozen=True, kw_only=True)
class Mllp:
    host: str = "127.0.0.1"  # to listen on; any but the loopback must be asked for
    port: int = 2575
    certificate: str = ""  # PEM file of the port's certificate and key: it then speaks TLS, and nothing else
    ca_file: str = ""  # certificates of the authority by which senders must prove themselves; empty: they need not


@dataclass(frozen=True, kw_only=True)
class Pacs:
    bases: str = ""  # DICOMweb services that may be asked, with commas between; empty: none
    token: str = ""  # bearer token for them; only from the environment
    ca_file: str = ""  # certificates of the site's own authority
    title: str = "CLINICALJEPA"  # our AE title
    callers: str = ""  # AE titles that may send to us, with commas between; empty: any, on the loopback only
    certificate: str = ""  # PEM file of our port's certificate and key: it then speaks TLS, and nothing else
    callers_ca_file: str = (
        ""  # certificates of the authority by which callers must prove themselves; empty: they need not
    )


@dataclass(frozen=True, kw_only=True)
class Paths:
    store: str = "store"
    model: str = "model"


@dataclass(frozen=True, kw_only=True)
class Ward:
    task: str = "deterioration-8h"
    clock: str = "wall"  # or START[xSPEED], e.g. 2026-01-05T08:00Zx60
    simulated: bool = False  # the patients are simulated; said wherever results are shown


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Chosen at ``fit``, which writes them into the policy."""

    recipients: str = "charge-nurse"  # names, with commas between
    budget: float = 2.0  # alerts per patient-day, at most


@dataclass(frozen=True, kw_only=True)
class Delivery:
    webhook: str = ""  # http(s) address of the receiver; empty: the file
    file: str = "delivered.ndjson"  # within the store folder unless absolute


@dataclass(frozen=True, kw_only=True)
class Web:
    host: str = "127.0.0.1"
    port: int = 8417
    secret: str = ""  # signs sessions; only from the environment; empty: a new one each start


@dataclass(frozen=True, kw_only=True)
class Flows:
    runner: str = "threads"  # or "dask" (extra ``dask``)
    workers: int = 2  # at once
    dask_address: str = ""  # of a cluster that stands already; empty: a local one for each run


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """What may be fetched from FHIR servers, and as whom."""

    bases: str = ""  # addresses at and below which servers may be asked, with commas between; nothing else is
    client_id: str = ""  # of SMART Backend Services; empty: without credentials
    key_variable: str = "SMART_PRIVATE_KEY"  # which variable holds the private key (PEM or JWK), or its file's name
    key_id: str = ""  # how the server knows the key; empty: as the JWK says, else its thumbprint
    scope: str = "system/*.rs"
    ca_file: str = ""  # certificates of the site's own authority
    overlap_s: float = 300.0  # how far before its cursor a poll begins
    reconcile_days: float = 7.0  # after so long a poll reads everything again and finds what is gone


@dataclass(frozen=True, kw_only=True)
class Settings:
    site: Site = Site()
    delays: Delays = Delays()
    hl7: Hl7 = Hl7()
    mllp: Mllp = Mllp()
    pacs: Pacs = Pacs()
    paths: Paths = Paths()
    ward: Ward = Ward()
    alerts: Alerts = Alerts()
    delivery: Delivery = Delivery()
    web: Web = Web()
    flows: Flows = Flows()
    fetch: Fetch = Fetch()


SECRETS = ("site.identity_key", "pacs.token", "web.secret")


@dataclass(frozen=True, kw_only=True)
class Effective:
    """Settings and, for every key, where its value came from."""

    settings: Settings
    origin: Mapping[str, str]


def load(
    environment: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Effective:
    """The effective settings. ``BadRequest`` for an unknown key (names the nearest one), a wrong type, or a zone that is none."""
    values: dict[str, Any] = dict(_flatten(Settings()))
    origin = dict.fromkeys(values, "default")
    path = file if file is not None else Path(FILE)
    if file is not None and not path.is_file():
        raise BadRequest(f"no configuration file at {path}; give --config an existing file or leave it out")
    layers = [
        (str(path), _from_file(path)),
        ("environment", _from_environment(environment)),
        ("flag", dict(flags or {})),
    ]
    for name, layer in layers:
        for key, value in layer.items():
            if value is None:
                continue
            if key not in values:
                raise BadRequest(f"{name}: unknown key {key!r}{_nearest(key, values)}")
            if key in SECRETS and name == str(path):
                raise BadRequest(
                    f"{path}: {key} is a secret; set {_variable(key)} in the environment and remove it here"
                )
            values[key] = _typed(key, value, values[key], name)
            origin[key] = name
    zone(values["site.zone"], said_by=origin["site.zone"])
    return Effective(settings=_build(Settings(), values), origin=origin)


def zone(name: str, *, said_by: str) -> ZoneInfo:
    """The zone of this name; ``BadRequest`` where there is none, with who said it."""
    try:
        return ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ) as error:  # OSError: a folder of the zone database, like "Europe"
        raise BadRequest(
            f"{said_by}: site.zone: no zone is called {name!r}; one like Europe/Berlin is meant"
        ) from error


def shown(effective: Effective) -> list[tuple[str, str, str]]:
    """``(key, value, origin)`` rows for ``config show``; secrets are masked."""
    rows = []
    for key, value in _flatten(effective.settings):
        rows.append((key, "(set)" if key in SECRETS and value else _without_secrets(str(value)), effective.origin[key]))
    return rows


def _without_secrets(value: str) -> str:
    """An address without the user, password and query that it may carry."""
    parts = urlsplit(value) if "://" in value and "," not in value else None
    if parts is None or not (parts.query or "@" in parts.netloc):
        return value
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path} (with more, not shown)"


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as variables for a child process."""
    return {_variable(key): str(value) for key, value in _flatten(settings)}


def _flatten(settings: Any, prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        pairs += _flatten(value, f"{field.name}.") if is_dataclass(value) else [(prefix + field.name, value)]
    return pairs


def _build(settings: Settings, values: Mapping[str, Any]) -> Settings:
    sections = {}
    for field in fields(settings):
        section = getattr(settings, field.name)
        sections[field.name] = replace(
            section, **{item.name: values[f"{field.name}.{item.name}"] for item in fields(section)}
        )
    return Settings(**sections)


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(f"{path}: not valid TOML ({error}); nothing was read from it") from error
    flat: dict[str, Any] = {}
    for section, entries in content.items():
        if isinstance(entries, dict):
            flat |= {f"{section}.{name}": value for name, value in entries.items()}
        else:
            flat[section] = entries
    return flat


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for variable, value in environment.items():
        if variable.startswith(_PREFIX) and variable not in _RESERVED:
            section, _, name = variable.removeprefix(_PREFIX).lower().partition("_")
            found[f"{section}.{name}"] = value
    return found


def _variable(key: str) -> str:
    return _PREFIX + key.replace(".", "_").upper()


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(known)}"


def _typed(key: str, value: Any, like: Any, layer: str) -> Any:
    if isinstance(value, str) and isinstance(like, bool):
        if value.lower() not in ("true", "false", "1", "0"):
            raise BadRequest(f"{layer}: {key} is true or false, not {value!r}")
        return value.lower() in ("true", "1")
    if isinstance(value, str) and isinstance(like, int):
        try:
            return int(value)
        except ValueError as error:
            raise BadRequest(f"{layer}: {key} is a whole number, not {value!r}") from error
    if isinstance(like, float) and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise BadRequest(f"{layer}: {key} is a number, not {value!r}") from error
    if type(value) is not type(like):
        raise BadRequest(f"{layer}: {key} is of type {type(like).__name__}, not {type(value).__name__}")
    return value


def listed(text: str) -> tuple[str, ...]:
    """What stands between the commas of a setting, each once, in its order."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
