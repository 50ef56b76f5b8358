"""A page of the hand-made ward, asked from this machine."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from clinical_jepa.web.app import create_app
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from tests.web.wards import ward_state


@pytest.fixture
def state() -> WardState:
    return ward_state()


@pytest.fixture
def client(state: WardState) -> TestClient:
    return open_page(state)


def open_page(state: WardState, config: WebConfig | None = None) -> TestClient:
    app = create_app(state, config=config or WebConfig(secret="for tests"))
    return TestClient(app, base_url="http://127.0.0.1:8417", client=("127.0.0.1", 50000), follow_redirects=False)
