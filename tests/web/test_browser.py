"""The page in a real browser: a person signs in and answers an alert, then the loop dies and the page must say so.

With CLINICAL_JEPA_PICTURES set to a folder, what was seen is kept there.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.web.app import create_app
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from tests.web.fakes import NOW, FakeHeartbeat
from tests.web.wards import RAISED, ward_state

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Server:
    """A page served from a thread, whose loop beats until it is told not to."""

    def __init__(self, state: WardState) -> None:
        import uvicorn

        self.state = state
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        app = create_app(state, config=WebConfig(loop_quiet_s=3, poll_s=1))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        self._beats = threading.Event()
        self._threads = [
            threading.Thread(target=self._server.run, args=([self.socket],)),
            threading.Thread(target=self._beat),
        ]
        for thread in self._threads:
            thread.start()

    def _beat(self) -> None:
        while not self._beats.wait(0.5):
            self.state.ledger.beats = {"watch": FakeHeartbeat(wall_us(), NOW), "relay": FakeHeartbeat(wall_us(), NOW)}

    def kill_loop(self) -> None:
        self._beats.set()

    def stop(self) -> None:
        self._beats.set()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(timeout=10)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(ward_state())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed: make servers")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield started
        started.close()


def keep(page: Any, name: str) -> None:
    folder = os.environ.get("CLINICAL_JEPA_PICTURES")
    content = page.screenshot(full_page=True, path=f"{folder}/{name}.png" if folder else None)
    assert content.startswith(b"\x89PNG")


def test_a_person_answers_an_alert_and_sees_the_loop_die(browser: Any, server: Server) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(server.address)
    assert page.locator("#bed-108").inner_text() == "<script>alert(1)</script>"
    page.keyboard.press("Tab")  # the skip link comes first
    assert page.evaluate("document.activeElement.className") == "skip"

    page.locator(f"#wait-{RAISED}").click()
    page.locator("#sign-in").click()
    page.fill("#name", "N. Osei, charge nurse")
    page.keyboard.press("Enter")
    page.locator("#acknowledge").click()
    page.get_by_text("Acknowledged and kept.").wait_for()
    assert [ack.by for ack in server.state.ledger.pending] == ["N. Osei, charge nurse"]
    page.goto(server.address)
    assert "by N. Osei, charge nurse, 20:00" in page.locator("tr.is-answered").first.inner_text()
    keep(page, "ward-light")

    page.locator(f"#bed-{RAISED}").focus()
    server.kill_loop()
    begun = time.monotonic()
    page.get_by_text("NOT LIVE since").wait_for(timeout=30_000)
    assert time.monotonic() - begun < 30
    assert page.locator("main.not-live").count() == 1
    assert page.evaluate("document.activeElement.id") == f"bed-{RAISED}"  # polling does not take the focus away
    assert page.title().startswith("NOT LIVE")
    keep(page, "not-live")
    assert problems == []


def test_a_lost_server_covers_the_page(browser: Any, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.address}/bed/{RAISED}")
    assert page.locator("#lost").is_hidden()
    server.stop()
    page.get_by_text("Connection lost.").wait_for(timeout=30_000)
    assert "is-lost" in page.locator("body").get_attribute("class")
    assert page.title().startswith("LOST")
    keep(page, "lost")


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1400), ("dark", 1400), ("light", 1000), ("light", 700), ("light", 390), ("dark", 390)],
)
def test_nothing_overflows_and_dark_is_dark(browser: Any, server: Server, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name, path in (("ward", "/"), ("bed", f"/bed/{RAISED}")):
        page.goto(server.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        red = int(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
        assert (red < 40) is (scheme == "dark")
        keep(page, f"{name}-{scheme}-{width}")
    context.close()


HEIGHTS = """(id) => {
    const link = document.getElementById(id);
    const height = (name) => { link.textContent = name; return link.getBoundingClientRect().height; };
    const heights = [height("9"), height("ICU SICU / Bed 19")];
    const cells = [...document.querySelectorAll(".beds td, .beds th")];
    return [...heights, cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).length];
}"""


@pytest.mark.parametrize("width", [1180, 1280, 1300, 1400, 1500])
def test_the_name_of_a_bed_stands_on_one_line(browser: Any, server: Server, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(server.address)
    # In one call: the page fetches its beds anew every second, and between two calls the link may be another one.
    one_line, named, cut = page.evaluate(HEIGHTS, f"bed-{RAISED}")
    assert (named, cut) == (one_line, 0)
    assert one_line > 0
    page.close()


def test_without_script_the_page_is_whole(browser: Any, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.address)
    assert page.locator("tr.is-raised").count() == 1
    assert page.locator("#lost").is_hidden()
    context.close()
