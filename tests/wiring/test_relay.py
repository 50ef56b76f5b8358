"""How the relay is asked to end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from clinical_jepa.alerts import worker
from clinical_jepa.monitor.stopping import Stop
from clinical_jepa.wiring import delivery
from clinical_jepa.wiring.settings import Paths, Settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_relay_through_a_flag_without_a_lock(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Event's lock may be held by the very thread that the signal interrupts; and handlers are given back."""
    before = signal.getsignal(number)
    seen: list[Stop] = []

    def run(*_: object, stop: Stop, **__: object) -> worker.Relayed:
        signal.raise_signal(number)
        seen.append(stop)
        return worker.Relayed(delivered=3)

    monkeypatch.setattr(worker, "run", run)
    try:
        said = delivery.relay(Settings(paths=Paths(store=str(tmp_path))), once=False, tell=print)
        assert signal.getsignal(number) is before
    finally:
        signal.signal(number, before)
    assert said.startswith("delivered 3")
    assert isinstance(seen[0], Stop)
    assert seen[0].is_set()


def test_the_relay_of_an_empty_ward_has_nothing_to_carry(tmp_path: Path) -> None:
    settings = Settings(paths=Paths(store=str(tmp_path)))
    assert delivery.relay(settings, once=True, tell=print) == "delivered 0, to be tried again 0, expired 0"
