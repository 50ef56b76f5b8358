"""Planted faults: tests say which fault of which source they plant and how it is to end, and the run is made a table.

    @pytest.mark.fault(source="fhir-server", fault="429", ends="waits as told, then the same result")

Several marks on one test are several rows; a parametrised test marks its cases (``pytest.param(…, marks=…)``). What is
marked travels in the junit file of the run; ``compliance/fault_matrix.py`` makes the table from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

FIELDS = ("source", "fault", "ends")
PROPERTY = "fault"  # of a test case in the junit file


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Every fault that a test is marked with becomes a property of its report."""
    for item in items:
        for mark in item.iter_markers("fault"):
            said = mark.kwargs
            if (
                mark.args
                or tuple(sorted(said)) != tuple(sorted(FIELDS))
                or not all(_plain(said[key]) for key in FIELDS)
            ):
                message = f"{item.nodeid}: a fault is marked as fault(source=…, fault=…, ends=…), each a line of text"
                raise pytest.UsageError(message)
            item.user_properties.append((PROPERTY, json.dumps({key: said[key] for key in FIELDS})))


def _plain(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and "\n" not in text
