"""Tasks from YAML: durations carry their unit ("8 h"), codes must be known, an unknown key is an error with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.forecasts import Criterion, Task
from clinical_jepa.records.instant import DAY, HOUR, MINUTE, SECOND
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import schemas

_UNITS = {"s": SECOND, "min": MINUTE, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_TASK_KEYS = tuple(Task.__dataclass_fields__)
_CRITERION_KEYS = tuple(Criterion.__dataclass_fields__)
# what each kind of criterion needs besides name, kind and code
_NEEDS = {"low-twice": ("below",), "start": (), "low-under": ("below", "given", "at_least", "given_age")}


def load_task(name_or_path: str | Path) -> Task:
    """The task of a YAML file, or of ``schemas/tasks/<name>.yaml``; ``BadRequest`` says what is wrong and where."""
    import yaml

    path = _locate(name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadRequest(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise BadRequest(f"{path.name} holds no task: a mapping of {', '.join(_TASK_KEYS)} is expected")
    return _task(content, path.name)


def parse_duration(text: object, where: str = "duration") -> int:
    """Microseconds of "8 h", "15 min" (or "15m"), "30 s" or "2 d"; ``BadRequest`` for anything else, a bare number included."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in _UNITS:
        raise BadRequest(f"{where}: {text!r} is not a duration; write a number and one of {', '.join(_UNITS)}: '8 h'")
    return round(Decimal(match[1]) * _UNITS[match[2]])


def format_duration(span: int) -> str:
    """The shortest exact text of a duration, readable by ``parse_duration``."""
    for unit in ("d", "h", "min", "s"):
        if span % _UNITS[unit] == 0 and span:
            return f"{span // _UNITS[unit]} {unit}"
    return f"{Decimal(span) / SECOND:f} s"


def to_dict(task: Task) -> dict[str, Any]:
    """The task as plain JSON values, durations in µs; ``from_dict`` reads it back equal."""
    return asdict(task)


def from_dict(content: Mapping[str, Any]) -> Task:
    """The task that ``to_dict`` wrote."""
    listed = {key: tuple(content[key]) for key in ("vitals", "horizons", "quantiles")}
    criteria = tuple(Criterion(**row) for row in content["criteria"])
    return Task(**{**content, **listed, "criteria": criteria})


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise BadRequest(f"there is no task file {path.name} in {path.parent}")
    folder = schemas() / "tasks"
    found = folder / f"{name_or_path}.yaml"
    if found.is_file():
        return found
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    raise BadRequest(f"no task is named {name_or_path!r}{_hint(str(name_or_path), known)}")


def _task(content: Mapping[str, Any], where: str) -> Task:
    _check_keys(content, _TASK_KEYS, _TASK_KEYS, where)
    spans = ("horizon", "cadence", "warm_up", "refractory", "validity")
    criteria = tuple(_criterion(row, f"{where}: criterion {i + 1}") for i, row in enumerate(content["criteria"]))
    task = Task(
        name=str(content["name"]),
        version=int(content["version"]),
        title=str(content["title"]),
        **{key: parse_duration(content[key], f"{where}: {key}") for key in spans},
        criteria=criteria,
        vitals=tuple(_known(code, f"{where}: vitals") for code in content["vitals"]),
        horizons=tuple(parse_duration(span, f"{where}: horizons") for span in content["horizons"]),
        quantiles=tuple(float(q) for q in content["quantiles"]),
    )
    _check_values(task, where)
    return task


def _check_values(task: Task, where: str) -> None:
    if min(task.horizon, task.cadence, task.validity, *task.horizons) <= 0 or not task.criteria:
        raise BadRequest(
            f"{where}: horizon, cadence, validity and horizons must be above 0, with at least one criterion"
        )
    ascending = list(task.quantiles) == sorted(set(task.quantiles))
    if len(task.quantiles) % 2 == 0 or not ascending or not all(0 < q < 1 for q in task.quantiles):
        raise BadRequest(f"{where}: quantiles must ascend in (0, 1), be odd in number, with the median in the middle")


def _criterion(row: Mapping[str, Any], where: str) -> Criterion:
    kind = row.get("kind")
    if kind not in _NEEDS:
        raise BadRequest(f"{where}: unknown kind {kind!r}{_hint(str(kind), _NEEDS)}")
    _check_keys(row, _CRITERION_KEYS, ("name", "kind", "code", *_NEEDS[kind]), where)
    return Criterion(
        name=str(row["name"]),
        kind=kind,
        code=_known(row["code"], where),
        below=_number(row, "below"),
        given=None if row.get("given") is None else _known(row["given"], where),
        at_least=_number(row, "at_least"),
        given_age=None if row.get("given_age") is None else parse_duration(row["given_age"], f"{where}: given_age"),
    )


def _number(row: Mapping[str, Any], key: str) -> float | None:
    return None if row.get(key) is None else float(row[key])


def _known(code: str, where: str) -> str:
    if code not in by_code():
        raise BadRequest(f"{where}: the code {code!r} is not in schemas/codes/variables.csv{_hint(code, by_code())}")
    return code


def _check_keys(content: Mapping[str, Any], allowed: Iterable[str], required: Iterable[str], where: str) -> None:
    for key in content:
        if key not in allowed:
            raise BadRequest(f"{where}: unknown key {key!r}{_hint(str(key), allowed)}")
    missing = [key for key in required if key not in content]
    if missing:
        raise BadRequest(f"{where}: missing {', '.join(missing)}")


def _hint(wrong: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(wrong, list(known), n=1, cutoff=0.0)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
