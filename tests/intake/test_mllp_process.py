"""``clinical-jepa receive mllp`` as a process of its own: what it says, how it ends, and kill -9 at any moment."""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from pathlib import Path

import hl7.client
import pytest

from clinical_jepa.store.events import Store
from tests.ingest import builders as ingesting
from tests.intake.lines import HOST, Process, frame, heart_rate, kept

MESSAGES = 60


def test_it_says_where_it_listens_and_what_came(tmp_path: Path) -> None:
    listener = Process(tmp_path / "spool")
    with hl7.client.MLLPClient(HOST, listener.port) as client:
        answers = [client.send_message(heart_rate(number)) for number in (1, 2, 2)]
    assert [b"MSA|AA|C" in answer for answer in answers] == [True] * 3
    assert answers[1] == answers[2]
    status, out = listener.end()
    assert status == 0
    assert json.loads(out) == {"kept": 2, "again": 1, "refused": 0, "failed": 0, "outside": 0}
    assert kept(tmp_path / "spool") == sorted([heart_rate(1), heart_rate(2)])


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    from tests.conftest import command

    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(
            AssertionError, match=r"ended with 2:\s+clinical-jepa: MLLP cannot have .*Address already in use"
        ):
            command("receive", "mllp", "--spool", "spool", "--port", port, cwd=tmp_path)


class Sender:
    """Sends every message until it is acknowledged; the line may break at any byte."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.acknowledged: list[int] = []

    def run(self, listener: Process, numbers: list[int], die_after: int) -> None:
        """Sends ``numbers`` in order over one connection; kills the listener after so many bytes more were sent."""
        left = die_after
        try:
            with listener.connect() as line:
                for number in numbers:
                    content = frame(heart_rate(number))
                    sent = min(len(content), left)
                    line.sendall(content[:sent])
                    left -= sent
                    if left == 0:
                        time.sleep(self.dice.choice([0, 0, 0.001, 0.005, 0.02]))  # before, while or after it is kept
                        listener.kill()
                    answer = line.recv(4096)
                    if b"MSA|AA|" in answer:
                        self.acknowledged.append(number)
        except OSError:
            pass
        if left:
            listener.kill()


@pytest.mark.slow
@pytest.mark.fault(source="mllp", fault="kill -9 at any byte", ends="every message exactly once in the store")
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_and_sent_again_every_message_is_there_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    sender, spool = Sender(dice), tmp_path / "spool"
    size = len(frame(heart_rate(0)))
    for _ in range(40):
        left = [number for number in range(MESSAGES) if number not in sender.acknowledged]
        if not left:
            break
        sender.run(Process(spool), left, die_after=dice.randint(1, 15 * size))
    assert sorted(sender.acknowledged) == list(range(MESSAGES))

    expected = {60 + number % 90 for number in range(MESSAGES)}
    for _ in range(2):  # and ingesting twice is ingesting once
        store = Store.open(tmp_path / "store", create=True)
        ingesting.run(spool, store)
        rows = [row for row in ingesting.rows(store) if row["code"] == "LOINC//8867-4"]
        assert Counter(row["time"] for row in rows).most_common(1)[0][1] == 1
        assert len(rows) == MESSAGES
        assert {round(row["numeric_value"]) for row in rows} == expected
        assert store.rejections().num_rows == 0
