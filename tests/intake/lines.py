"""A peer for the MLLP listener: plain sockets, and a listener in this process or in one of its own."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clinical_jepa.intake.mllp import Listener, MllpConfig

HOST = "127.0.0.1"


def heart_rate(number: int, control: str | None = None, rest: str = "") -> bytes:
    """A message whose one result no other number has: patient H1 at minute ``number``."""
    when = f"202601{1 + number // 1440:02d}{number // 60 % 24:02d}{number % 60:02d}00+0000"
    return (
        f"MSH|^~\\&|MON|ICU|||{when}||ORU^R01^ORU_R01|{control or f'C{number}'}|P|2.5{rest}\r"
        f"PID|||H1^^^HOSP^MR\rOBR|1|||1^x^L|||{when}\rOBX|1|NM|8867-4^HR^LN||{60 + number % 90}|/min|||||F\r"
    ).encode()


def frame(content: bytes) -> bytes:
    return b"\x0b" + content + b"\x1c\r"


def parts(reply: bytes) -> dict[str, list[str]]:
    """The segments of an acknowledgement by name, MSH-n at index n."""
    assert reply.startswith(b"\x0b")
    assert reply.endswith(b"\x1c\r")
    segments = [line.split("|") for line in reply[1:-2].decode().split("\r") if line]
    return {part[0]: ["MSH", "|", *part[1:]] if part[0] == "MSH" else part for part in segments}


@asynccontextmanager
async def listening(spool: Path, **options: Any) -> AsyncIterator[tuple[Listener, int, list[str]]]:
    """A listener on a free port, what it tells, and its end."""
    told: list[str] = []
    listener = Listener(config=MllpConfig(spool=spool, port=0, **options), tell=told.append)
    port = await listener.start()
    try:
        yield listener, port, told
    finally:
        await listener.stop()


async def exchange(port: int, *pieces: bytes, replies: int = 1) -> list[bytes]:
    """Sends the pieces one after the other on one connection, and waits for so many replies."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    found = [await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 10) for _ in range(replies)]
    writer.close()
    return found


def kept(spool: Path) -> list[bytes]:
    """The contents of the spool, and nothing half."""
    files = [path for path in spool.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix != ".hl7"]
    return sorted(path.read_bytes() for path in files)


class Process:
    """``clinical-jepa receive mllp`` in a process of its own."""

    def __init__(self, spool: Path, port: int = 0) -> None:
        program = "from clinical_jepa.cli import main; main()"
        arguments = ["receive", "mllp", "--spool", str(spool), "--port", str(port), "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"listening on \S+:(\d+)", line)
        assert found, line
        self.port = int(found.group(1))

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=60)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str]:
        """A polite end: exit status and stdout."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out
