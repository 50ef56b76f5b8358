"""The binary signal formats (signal(5) of the WFDB library): bytes → digital samples, for any stretch of a file.

Every format is a block of whole samples in whole bytes; a stretch is read from the start of its first block, so that a
window of five seconds costs five seconds. Format 8 alone holds differences, and must be summed from the file's start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinical_jepa.sources.wfdb import flac


@dataclass(frozen=True, kw_only=True)
class Format:
    """``samples`` samples lie in ``size`` bytes; ``missing`` is the digital value that means "no value".

    ``ends[k]`` is the byte of a block after which its first k samples are complete.
    """

    samples: int
    size: int
    missing: int  # of format 8, which has none: a sum that differences never reach
    unpack: Callable[[np.ndarray], np.ndarray]  # uint8 of whole blocks → integers
    ends: tuple[int, ...] = (0,)


def _twelve_bits(raw: np.ndarray) -> np.ndarray:
    """Two samples in three bytes; the middle one holds the high bits of both, the first one's below."""
    out = np.empty(2 * (len(raw) // 3), np.int16)
    middle = raw[1::3].astype(np.int16)
    # shifting up and down again carries the sign of twelve bits
    out[0::2] = ((middle << 12) >> 4) | raw[0::3]
    out[1::2] = (((middle >> 4) << 12) >> 4) | raw[2::3]
    return out


def _ten_bits(parts: list[np.ndarray]) -> np.ndarray:
    out = np.empty(3 * len(parts[0]), np.int16)
    for place, part in enumerate(parts):
        out[place::3] = ((part & 0x3FF).astype(np.int16) << 6) >> 6
    return out


def _three_ten(raw: np.ndarray) -> np.ndarray:
    """Two 16-bit words of ten bits and five: the fives are the third sample."""
    word = raw.view("<u2")
    first, second = word[0::2], word[1::2]
    return _ten_bits([first >> 1, second >> 1, (first >> 11) | ((second >> 11) << 5)])


def _three_eleven(raw: np.ndarray) -> np.ndarray:
    """Three samples of ten bits one after the other, from the lowest bit of a 32-bit word."""
    word = raw.view("<u4")
    return _ten_bits([word, word >> 10, word >> 20])


def _three_bytes(raw: np.ndarray) -> np.ndarray:
    wide = np.empty((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = raw.reshape(-1, 3)
    return wide.view("<i4").ravel() >> 8


FORMATS = {
    8: Format(samples=1, size=1, missing=-(2**31), unpack=lambda raw: raw.view(np.int8)),
    16: Format(samples=1, size=2, missing=-(2**15), unpack=lambda raw: raw.view("<i2")),
    24: Format(samples=1, size=3, missing=-(2**23), unpack=_three_bytes),
    32: Format(samples=1, size=4, missing=-(2**31), unpack=lambda raw: raw.view("<i4")),
    61: Format(samples=1, size=2, missing=-(2**15), unpack=lambda raw: raw.view(">i2")),
    80: Format(samples=1, size=1, missing=-(2**7), unpack=lambda raw: (raw ^ 0x80).view(np.int8)),
    160: Format(samples=1, size=2, missing=-(2**15), unpack=lambda raw: (raw.view("<u2") ^ 0x8000).view("<i2")),
    212: Format(samples=2, size=3, missing=-(2**11), unpack=_twelve_bits, ends=(0, 2)),
    310: Format(samples=3, size=4, missing=-(2**9), unpack=_three_ten, ends=(0, 2, 4)),
    311: Format(samples=3, size=4, missing=-(2**9), unpack=_three_eleven, ends=(0, 2, 3)),
}
MISSING = {number: form.missing for number, form in FORMATS.items()} | {508: -(2**7), 516: -(2**15), 524: -(2**23)}


def bytes_of(form: Format, samples: int) -> int:
    """The bytes in which so many samples end: the last block may be cut short after its last sample's byte."""
    blocks, rest = divmod(samples, form.samples)
    return blocks * form.size + form.ends[rest]


def length(path: Path, number: int, offset: int, channels: int) -> int:
    """How many samples of all its signals together the file holds from ``offset`` on."""
    if number not in FORMATS:
        return flac.length(path, offset) * channels
    form = FORMATS[number]
    return max(0, path.stat().st_size - offset) * form.samples // form.size


def stretch(path: Path, number: int, offset: int, first: int, last: int) -> np.ndarray:
    """The samples ``[first, last)`` of a file, all its signals one after the other; ``ValueError`` where it ends before."""
    form = FORMATS[number]
    block, ahead = divmod(first, form.samples)
    start = block * form.size
    wanted = bytes_of(form, last) - start
    if path.stat().st_size < offset + start + wanted:  # before room is made for what a damaged header claims
        raise ValueError("its data file is shorter than its header says")
    raw = np.fromfile(path, np.uint8, count=wanted, offset=offset + start)
    if over := len(raw) % form.size:
        raw = np.concatenate([raw, np.zeros(form.size - over, np.uint8)])
    return form.unpack(raw)[ahead : ahead + last - first]
