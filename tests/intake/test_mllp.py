"""The MLLP listener against plain sockets: what is acknowledged lies in the spool, once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from pathlib import Path

import hl7
import pytest

from clinical_jepa.intake import mllp, spool
from tests.intake.lines import HOST, exchange, frame, heart_rate, kept, listening, parts


def run(coroutine: object) -> None:
    asyncio.run(coroutine)  # type: ignore[arg-type]


def test_a_message_is_kept_and_acknowledged(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, _):
            (reply,) = await exchange(port, frame(heart_rate(1)))
            ack = parts(reply)
            assert ack["MSA"][1:] == ["AA", "C1"]
            assert ack["MSH"][9] == "ACK^R01^ACK"
            assert (ack["MSH"][5], ack["MSH"][6], ack["MSH"][11], ack["MSH"][12]) == ("MON", "ICU", "P", "2.5")
            assert hl7.parse(reply[1:-2].decode()).segment("MSA")[2][0] == "C1"
            assert kept(tmp_path) == [heart_rate(1)]
            assert listener.received.kept == 1

    run(scene())


def test_the_acknowledgement_comes_after_the_file_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    put, write = spool.put, asyncio.StreamWriter.write

    def slow_put(folder: Path, name: str, content: bytes) -> tuple[Path, bool]:
        result = put(folder, name, content)
        assert result[0].read_bytes() == content
        order.append("durable")
        return result

    def noted(self: asyncio.StreamWriter, data: bytes) -> None:
        if b"MSA|AA" in data:
            order.append("acknowledged")
        write(self, data)

    monkeypatch.setattr(spool, "put", slow_put)
    monkeypatch.setattr(asyncio.StreamWriter, "write", noted)

    async def scene() -> None:
        async with listening(tmp_path) as (_, port, _):
            await exchange(port, frame(heart_rate(1)) + frame(heart_rate(2)), replies=2)

    run(scene())
    assert order == ["durable", "acknowledged"] * 2


@pytest.mark.fault(source="mllp", fault="duplicate", ends="the same acknowledgement, byte for byte; no second file")
def test_a_message_that_comes_again_is_answered_alike_and_kept_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, _):
            (first,) = await exchange(port, frame(heart_rate(1)))
            again = await exchange(port, frame(heart_rate(1)) * 2, replies=2)
            assert again == [first, first]
            assert (listener.received.kept, listener.received.again) == (1, 2)
        async with listening(tmp_path) as (_, port, _):  # also after a restart
            assert await exchange(port, frame(heart_rate(1))) == [first]
            assert kept(tmp_path) == [heart_rate(1)]

    run(scene())


@pytest.mark.fault(source="mllp", fault="control id used again", ends="both messages are kept")
def test_another_message_under_a_used_control_id_is_kept_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (_, port, _):
            both = [frame(heart_rate(number, control="SAME")) for number in (1, 2)]
            replies = await exchange(port, *both, replies=2)
            assert [parts(reply)["MSA"][1:] for reply in replies] == [["AA", "SAME"]] * 2
            assert kept(tmp_path) == sorted([heart_rate(1, "SAME"), heart_rate(2, "SAME")])

    run(scene())


def test_frames_split_at_every_byte_and_joined_are_the_same_messages(tmp_path: Path) -> None:
    line = frame(heart_rate(1)) + frame(heart_rate(2))

    async def scene() -> None:
        async with listening(tmp_path) as (_, port, _):
            for cut in range(1, len(line), 7):
                await exchange(port, line[:cut], line[cut:], replies=2)
            await exchange(port, *(line[at : at + 1] for at in range(len(line))), replies=2)
            assert kept(tmp_path) == sorted([heart_rate(1), heart_rate(2)])

    run(scene())


@pytest.mark.fault(
    source="mllp", fault="bytes outside frames", ends="counted and dropped; the messages around are kept"
)
def test_bytes_outside_frames_are_counted_and_dropped(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, told):
            await exchange(
                port, b"GET / HTTP/1.1\r\n" + frame(heart_rate(1)) + b"\r\nSECRET" + frame(heart_rate(2)), replies=2
            )
            await asyncio.sleep(0.05)
            assert listener.received.outside == len("GET / HTTP/1.1") + len("SECRET")
            assert "20 bytes outside of frames were dropped" in told
            assert not any("SECRET" in line for line in told)

    run(scene())


@pytest.mark.parametrize(
    ("rest", "codes"),
    [("", ["AA"]), ("|||AL|NE", ["CA"]), ("|||NE|AL", ["AA"]), ("|||AL|AL", ["CA", "AA"]), ("|||SU|ER", ["CA"])]
    + [("|||ER|SU", ["AA"]), ("||||AL", ["AA"])],
)
def test_which_acknowledgements_are_wanted(tmp_path: Path, rest: str, codes: list[str]) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (_, port, _):
            replies = await exchange(port, frame(heart_rate(1, rest=rest)), replies=len(codes))
            assert [parts(reply)["MSA"][1] for reply in replies] == codes

    run(scene())


def test_none_is_sent_where_none_is_wanted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (_, port, _):
            silent = heart_rate(1, rest="|||NE|NE")
            (reply,) = await exchange(port, frame(silent) + frame(heart_rate(2)))
            assert parts(reply)["MSA"][2] == "C2"
            assert kept(tmp_path) == sorted([silent, heart_rate(2)])

    run(scene())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"hello", "AR"),
        (b"MSH|^^\\&|A|B", "AR"),
        (heart_rate(1).replace(b"|C1|", b"||"), "AR"),
        (heart_rate(1, rest="|||ER|NE").replace(b"|C1|", b"||"), "CR"),
        (heart_rate(1) + b"x" * 2000, "AR"),
    ],
)
@pytest.mark.fault(
    source="mllp", fault="no message, no control id, or too long", ends="AR, nothing kept; the line goes on"
)
def test_what_can_never_be_taken_is_rejected_and_the_line_goes_on(tmp_path: Path, content: bytes, code: str) -> None:
    async def scene() -> None:
        async with listening(tmp_path, limit=1000) as (listener, port, told):
            replies = await exchange(port, frame(content) + frame(heart_rate(2)), replies=2)
            assert [parts(reply)["MSA"][1] for reply in replies] == [code, "AA"]
            assert kept(tmp_path) == [heart_rate(2)]
            assert listener.received.refused == 1
            assert told[0].startswith("a message was refused: ")

    run(scene())


@pytest.mark.fault(source="mllp", fault="disk full", ends="AE, nothing kept half; kept when it is sent again")
def test_a_full_disk_asks_the_sender_to_send_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, told):
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                replies = await exchange(port, frame(heart_rate(1)), frame(heart_rate(2, rest="|||ER|NE")), replies=2)
                assert [parts(reply)["MSA"][1] for reply in replies] == ["AE", "CE"]
                assert kept(tmp_path) == []
                assert listener.received.failed == 2
                assert "No space left on device" in told[0]
            (reply,) = await exchange(port, frame(heart_rate(1)))
            assert parts(reply)["MSA"][1] == "AA"
            assert kept(tmp_path) == [heart_rate(1)]

    run(scene())


def test_many_connections_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, _):
            lines = [b"".join(frame(heart_rate(20 * line + turn)) for turn in range(20)) for line in range(12)]
            shared = [exchange(port, frame(heart_rate(999)), replies=1) for _ in range(10)]
            await asyncio.gather(*(exchange(port, line, replies=20) for line in lines), *shared)
            assert len(kept(tmp_path)) == 241
            assert (listener.received.kept, listener.received.again) == (241, 9)

    run(scene())


def test_one_connection_more_than_allowed_is_closed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path, connections=1) as (_, port, _):
            _, first = await asyncio.open_connection(HOST, port)
            await asyncio.sleep(0.05)
            reader, _ = await asyncio.open_connection(HOST, port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            first.close()

    run(scene())


@pytest.mark.fault(source="mllp", fault="slow sender", ends="its connection is closed, nothing kept; others go on")
def test_a_sender_that_never_ends_its_message_is_closed_and_an_idle_one_is_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path, message_s=0.2) as (_, port, told):
            idle_reader, idle = await asyncio.open_connection(HOST, port)
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"\x0bMSH|")
            for _ in range(6):  # a byte now and then does not keep it alive
                await asyncio.sleep(0.05)
                writer.write(b"x")
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            assert any("slower than 0.2 s" in line for line in told)
            idle.write(frame(heart_rate(1)))
            assert parts(await asyncio.wait_for(idle_reader.readuntil(b"\x1c\r"), 5))["MSA"][1] == "AA"
            idle.close()
            assert kept(tmp_path) == [heart_rate(1)]

    run(scene())


@pytest.mark.fault(
    source="mllp", fault="disconnect within a message", ends="nothing of it is kept; the sender sends it again"
)
def test_a_connection_that_breaks_within_a_message_leaves_nothing(tmp_path: Path) -> None:
    line = frame(heart_rate(1))

    async def scene() -> None:
        async with listening(tmp_path) as (_, port, told):
            for cut in range(0, len(line) - 2, 11):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.write(line[:cut])
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            await asyncio.sleep(0.1)
            assert kept(tmp_path) == []
            assert "a connection ended within a message; nothing of it was kept" in told

    run(scene())


def test_stopping_finishes_what_is_being_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = spool.put

    def slow(folder: Path, name: str, content: bytes) -> tuple[Path, bool]:
        import time

        time.sleep(0.3)
        return put(folder, name, content)

    monkeypatch.setattr(mllp.spool, "put", slow)

    async def scene() -> None:
        async with listening(tmp_path) as (listener, port, _):
            reader, writer = await asyncio.open_connection(HOST, port)
            idle, _ = await asyncio.open_connection(HOST, port)
            writer.write(frame(heart_rate(1)) + frame(heart_rate(2)))
            await asyncio.sleep(0.1)
            await listener.stop()
            assert parts(await reader.readuntil(b"\x1c\r"))["MSA"][1:] == ["AA", "C1"]
            assert await reader.read() == b""  # the second was not acknowledged: it will come again
            assert await idle.read() == b""
            assert kept(tmp_path) == [heart_rate(1)]
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(HOST, port)

    run(scene())


def test_names_in_the_spool_lead_nowhere_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path / "spool") as (_, port, _):
            evil = (
                heart_rate(1, control="../../etc/passwd")
                .replace(b"|MON|", b"|../x|")
                .replace(b"202601010001", b"../../aa0001")
            )
            (reply,) = await exchange(port, frame(evil))
            assert parts(reply)["MSA"][1] == "AA"
            (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
            assert path.parent == tmp_path / "spool" / "undated" / "undated.hl7d"

    run(scene())
