"""One typed file, overridden by the environment and by flags."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.training.fit import FitConfig, FitReport
from clinical_jepa.wiring import compose, road
from clinical_jepa.wiring.compose import alert_rules
from clinical_jepa.wiring.settings import Alerts, Settings, as_environment, load, shown


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


@pytest.mark.parametrize("value", ["x", "1.5", "", "²", "9" * 5000])
def test_a_value_of_the_wrong_type_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        load({"CLINICAL_JEPA_WEB_PORT": value})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no configuration file"):
        load({}, file=tmp_path / "none.toml")


def test_a_number_may_be_written_with_or_without_a_point(tmp_path: Path) -> None:
    file = written(tmp_path, "[alerts]\nbudget = 3\n")
    assert load({}, file=file).settings.alerts.budget == 3.0
    found = load({"CLINICAL_JEPA_ALERTS_BUDGET": "1.5"}, file=file).settings
    assert found.alerts.budget == 1.5
    assert load(as_environment(found)).settings == found
    with pytest.raises(BadRequest, match=r"alerts\.budget is a number"):
        load({"CLINICAL_JEPA_ALERTS_BUDGET": "few"})


def test_the_site_chooses_who_is_told_and_how_often() -> None:
    rules = alert_rules(Settings(alerts=Alerts(recipients=" charge-nurse, rapid response,charge-nurse,", budget=0.5)))
    assert (rules.recipients, rules.budget) == (("charge-nurse", "rapid response"), 0.5)
    assert alert_rules(Settings()) == FitConfig()


@pytest.mark.parametrize("wrong", [{"recipients": " , "}, {"budget": 0.0}, {"budget": math.nan}, {"budget": math.inf}])
def test_rules_by_which_nobody_is_told_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"alerts\."):
        alert_rules(Settings(alerts=Alerts(**wrong)))


def test_fit_is_told_the_sites_rules_and_its_report_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    from clinical_jepa.training import fit

    told: list[FitConfig] = []

    def fitted(*_: object, config: FitConfig, **__: object) -> FitReport:
        told.append(config)
        numbers = {field.name: math.nan for field in fields(FitReport)}
        return FitReport(**numbers | {"task": "t"})  # type: ignore[arg-type]

    monkeypatch.setattr(fit, "fit", fitted)
    monkeypatch.setattr(compose, "store", lambda _: None)
    report = road.fit(Settings(alerts=Alerts(budget=1.0)))
    assert told[0].budget == 1.0
    assert json.loads(json.dumps(report, allow_nan=False))["tuning_auroc"] is None


def test_an_address_is_shown_without_what_it_may_carry() -> None:
    secret = {"CLINICAL_JEPA_DELIVERY_WEBHOOK": "https://user:word@pager.example/in?token=abc"}
    said = {key: value for key, value, _ in shown(load(secret))}["delivery.webhook"]
    assert said.startswith("https://pager.example/in")
    assert not any(part in said for part in ("word", "abc", "user"))
    plain = {"CLINICAL_JEPA_DELIVERY_WEBHOOK": "https://pager.example/in"}
    assert {key: value for key, value, _ in shown(load(plain))}["delivery.webhook"] == "https://pager.example/in"
