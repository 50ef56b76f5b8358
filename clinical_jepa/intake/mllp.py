"""Listens for HL7 v2 messages over MLLP and keeps each in the spool before it is acknowledged.

A message counts as received when its file outlives a loss of power; only then the sender reads AA. So a sender that sends
again whatever was not acknowledged loses nothing, and what came twice is one file. Nothing of a message is shown or logged.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from clinical_jepa.intake import spool
from clinical_jepa.intake.acknowledge import Verdict, replies
from clinical_jepa.sources.hl7v2.frames import TOGETHER, Framed, Framer, framed
from clinical_jepa.sources.hl7v2.header import Header, header

Tell = Callable[[str], None]

_PIECE = 65_536  # bytes read at once
_LOCKS = 64


@dataclass(frozen=True, kw_only=True)
class MllpConfig:
    """``limit``: the longest message, in bytes. ``message_s``: from a message's first byte to its last, and for an
    acknowledgement to be read. ``connections``: how many at once; one more is closed unanswered. ``tls``: of the port.
    """

    spool: Path
    host: str = "127.0.0.1"
    port: int = 2575
    limit: int = 16 * 1024 * 1024
    message_s: float = 60.0
    connections: int = 256
    tls: ssl.SSLContext | None = None


@dataclass(kw_only=True)
class Received:
    """What came since the start: messages kept, kept before, refused for good, not kept for now; and bytes outside frames."""

    kept: int = 0
    again: int = 0
    refused: int = 0
    failed: int = 0
    outside: int = 0


@dataclass(kw_only=True)
class Listener:
    """One MLLP port. ``start``, then ``stop``: what is being kept is finished and answered, the rest is closed."""

    config: MllpConfig
    tell: Tell
    received: Received = field(default_factory=Received)
    _server: asyncio.Server | None = None
    _stopping: bool = False
    _open: dict[asyncio.Task[None], bool] = field(default_factory=dict)  # true: it is keeping a message
    _locks: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock() for _ in range(_LOCKS)])

    async def start(self) -> int:
        """The port that is listened on (the asked one, or a free one for 0). ``OSError`` where it cannot be had."""
        self.config.spool.mkdir(parents=True, exist_ok=True)
        config = self.config
        self._server = await asyncio.start_server(self._connected, config.host, config.port, ssl=config.tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """No new connections; messages under way to the disk are acknowledged; then every connection is closed."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task, keeping in list(self._open.items()):
            if not keeping:
                task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping or len(self._open) >= self.config.connections:
            self.tell("a connection more than allowed was closed")
            writer.close()
            return
        self._open[task] = False
        framer = Framer(limit=self.config.limit)
        try:
            await self._serve(task, framer, reader, writer)
        except TimeoutError:
            self.tell(f"a sender was slower than {self.config.message_s:g} s; its connection is closed")
        except (ConnectionError, asyncio.CancelledError):
            pass  # it went away, or we do; what was not acknowledged it will send again
        finally:
            del self._open[task]
            self._closed(framer)
            writer.close()

    async def _serve(
        self, task: asyncio.Task[None], framer: Framer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        deadline = None
        while piece := await self._piece(reader, deadline):
            found = framer.feed(piece)
            if found or deadline is None:
                deadline = asyncio.get_running_loop().time() + self.config.message_s
            if not framer.within:
                deadline = None
            for one in found:
                self._open[task] = True
                for reply in await self._answer(one):
                    writer.write(framed(reply))
                async with asyncio.timeout(self.config.message_s):
                    await writer.drain()
                self._open[task] = False
                if self._stopping:
                    return

    async def _piece(self, reader: asyncio.StreamReader, deadline: float | None) -> bytes:
        async with asyncio.timeout_at(deadline):
            return await reader.read(_PIECE)

    async def _answer(self, one: Framed) -> list[bytes]:
        head = header(one.content.lstrip())
        when = datetime.now(UTC)
        refusal = _refusal(one, head, self.config.limit)
        if refusal or head is None:
            self.received.refused += 1
            self.tell(f"a message was refused: {refusal}")
            return replies(head, one.content, "R", when, refusal)
        folder, name = _place(self.config.spool, head)
        async with self._locks[hash((folder, name)) % _LOCKS]:  # two connections may bring one name at once
            try:
                when, new = await asyncio.to_thread(_keep, folder, name, one.content)
            except OSError as error:
                self.received.failed += 1
                self.tell(f"a message could not be kept ({error.strerror}); its sender is asked to send it again")
                return replies(head, one.content, _TRY_AGAIN, when, "not kept, send it again later")
        self.received.kept += new
        self.received.again += not new
        return replies(head, one.content, "A", when)

    def _closed(self, framer: Framer) -> None:
        self.received.outside += framer.outside
        if framer.outside:
            self.tell(f"{framer.outside} bytes outside of frames were dropped")
        if framer.within:
            self.tell("a connection ended within a message; nothing of it was kept")


_TRY_AGAIN: Verdict = "E"


def _refusal(one: Framed, head: Header | None, limit: int) -> str:
    """Why a message can never be taken as it is; nothing where it can."""
    if one.cut:
        return f"longer than {limit} bytes"
    if head is None:
        return "no usable message header (MSH)"
    return "" if head.control_id else "no message control id (MSH-10)"


def _place(root: Path, head: Header) -> tuple[Path, str]:
    """Folder and name by the message's time, sender and control id: the same message has the same place, whenever it comes.

    Ten minutes share a folder, which is read as one unit: often enough for a ward, and few enough commits for a hospital.
    """
    when = head.field(7)[:12]
    dated = len(when) == 12 and when.isascii() and when.isdigit()
    folder = root / when[:8] / f"{when[8:11]}0{TOGETHER}" if dated else root / "undated" / f"undated{TOGETHER}"
    return folder, spool.safe("-".join((head.field(3), head.field(4), head.control_id))) + ".hl7"


def _keep(folder: Path, name: str, content: bytes) -> tuple[datetime, bool]:
    """``(when it was first kept, whether that is now)``, once it is durable; ``OSError`` where it cannot be made so."""
    path, new = spool.put(folder, name, content)
    return datetime.fromtimestamp(path.stat().st_mtime, UTC), new
