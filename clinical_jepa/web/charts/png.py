"""A grey picture as PNG bytes (RFC 2083, 8 bits a pixel, filter 0)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_LARGEST = 768


def png(pixels: np.ndarray) -> bytes:
    """``float [rows, columns]`` in [0, 1] as PNG, white is 1; reduced by block means to at most 768 a side."""
    reduced = _reduced(np.nan_to_num(np.asarray(pixels, dtype=np.float32)))
    grey = np.round(np.clip(reduced, 0.0, 1.0) * 255).astype(np.uint8)
    rows, columns = grey.shape
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)  # a filter byte before each row
    lines[:, 1:] = grey
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _reduced(pixels: np.ndarray) -> np.ndarray:
    block = -(-max(pixels.shape) // _LARGEST)
    if block <= 1:
        return pixels
    high, wide = (min(block, size) for size in pixels.shape)  # a picture narrower than a block keeps a column
    rows, columns = pixels.shape[0] // high, pixels.shape[1] // wide
    blocks = pixels[: rows * high, : columns * wide].reshape(rows, high, columns, wide)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
