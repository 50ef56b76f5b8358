"""What ``--help`` says of every verb: an example that is taken, options that say something, lines that read well."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from clinical_jepa.cli.app import app
from tests.wiring.test_verbs import typed


def leaves() -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, verb in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(verb, "commands", None)
        yield from [((name, one), leaf) for one, leaf in inner.items()] if inner else [((name,), verb)]


VERBS = dict(leaves())


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_example_of_a_verb_is_taken_by_it(words: tuple[str, ...]) -> None:
    (example,) = [line for line in VERBS[words].help.splitlines() if line.startswith("Example: ")]
    program, *arguments = shlex.split(example.removeprefix("Example: "))
    assert program == "clinical-jepa"
    assert tuple(arguments[: len(words)]) == words
    with VERBS[words].make_context(words[-1], arguments[len(words) :]) as context:  # UsageError where it is not
        assert context.args == []


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_help_of_a_verb_reads_well(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = typed(*words, "--help").output.splitlines()
    assert [line for line in lines[1:] if line.endswith(("[default:", "..."))] == []
    assert not any("--no-" in line for line in lines)
    silent = [one.name for one in VERBS[words].params if len((one.help or "").split()) < 2]
    assert silent == []
