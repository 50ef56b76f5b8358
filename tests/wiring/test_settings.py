"""One typed file, overridden by the environment and by flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring.settings import load, shown


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clinical-jepa.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[paths]\nstore = "a"\nmodel = "a"\n[web]\nport = 1\n')
    effective = load(
        {"CLINICAL_JEPA_PATHS_STORE": "b", "CLINICAL_JEPA_WEB_PORT": "2"}, file=file, flags={"web.port": 3}
    )
    assert (effective.settings.paths.store, effective.settings.paths.model, effective.settings.web.port) == (
        "b",
        "a",
        3,
    )
    assert effective.origin["paths.store"] == "environment"
    assert effective.origin["web.port"] == "flag"
    assert effective.origin["site.zone"] == "default"


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"did you mean 'paths\.store'"):
        load({}, file=written(tmp_path, '[paths]\nstroe = "a"\n'))
    with pytest.raises(BadRequest, match=r"did you mean 'web\.port'"):
        load({"CLINICAL_JEPA_WEB_PROT": "1"})


def test_the_variable_of_the_test_data_is_reserved() -> None:
    load({"CLINICAL_JEPA_DATA": "/anywhere"})


def test_secrets_come_from_the_environment_only_and_are_masked(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="CLINICAL_JEPA_SITE_IDENTITY_KEY"):
        load({}, file=written(tmp_path, '[site]\nidentity_key = "hush"\n'))
    rows = {key: value for key, value, _ in shown(load({"CLINICAL_JEPA_SITE_IDENTITY_KEY": "hush"}))}
    assert rows["site.identity_key"] == "(set)"


@pytest.mark.parametrize("value", ["x", "1.5", ""])
def test_a_value_of_the_wrong_type_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        load({"CLINICAL_JEPA_WEB_PORT": value})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no configuration file"):
        load({}, file=tmp_path / "none.toml")
