"""MLLP: ``0x0B`` message ``0x1C 0x0D``. Bytes in whatever pieces they come, whole messages out."""

from __future__ import annotations

from dataclasses import dataclass, field

START, END, RETURN = b"\x0b", b"\x1c", b"\x0d"
TOGETHER = ".hl7d"  # a folder of this suffix holds messages that are read as one unit: a stretch of a line's time
HEAD = 4096  # bytes kept of a message that is too long, so that its header can still be answered


@dataclass(frozen=True, kw_only=True)
class Framed:
    """One message; ``cut``: it was longer than allowed, and only its first ``HEAD`` bytes are here."""

    content: bytes
    cut: bool = False


@dataclass(kw_only=True)
class Framer:
    """Joins and splits what is read from one line.

    ``limit`` is the longest message taken, in bytes. ``outside`` counts bytes that belong to no message: noise between
    frames, and frames that were begun again before they ended. They are counted, and never kept or shown.
    """

    limit: int
    outside: int = 0
    _open: bool = False
    _cut: bool = False
    _held: bytearray = field(default_factory=bytearray)

    @property
    def within(self) -> bool:
        """A message was begun and has not ended."""
        return self._open

    def feed(self, piece: bytes) -> list[Framed]:
        """The messages that end within ``piece``."""
        found = []
        position = 0
        while position < len(piece):
            if not self._open:
                position = self._until_start(piece, position)
                continue
            end, again = piece.find(END, position), piece.find(START, position)
            if again >= 0 and (end < 0 or again < end):  # begun again: the sender gave the first one up
                self._keep(piece[position:again])
                self.outside += len(self._held)
                self._begin()
                position = again + 1
            elif end < 0:
                self._keep(piece[position:])
                position = len(piece)
            else:
                self._keep(piece[position:end])
                found.append(Framed(content=bytes(self._held), cut=self._cut))
                self._open = False
                self._held.clear()
                position = end + 1
        return found

    def _until_start(self, piece: bytes, position: int) -> int:
        start = piece.find(START, position)
        stop = len(piece) if start < 0 else start
        self.outside += len(piece[position:stop].replace(RETURN, b"").replace(b"\n", b""))
        if start >= 0:
            self._begin()
        return stop + 1

    def _begin(self) -> None:
        self._open, self._cut = True, False
        self._held.clear()

    def _keep(self, more: bytes) -> None:
        if self._cut or len(self._held) + len(more) > self.limit:
            more = more[: max(0, HEAD - len(self._held))]
            self._cut = True
            del self._held[HEAD:]
        self._held += more


def framed(content: bytes) -> bytes:
    """A message as it goes over the line."""
    return START + content + END + RETURN
