"""Float arrays out of a plain HDF5 file (superblock 0, symbol tables, gzip), for reference data only.

Written from the HDF5 File Format Specification 1.1; what the two files at hand do not use is not read.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


class Hdf5:
    """Names of the root group to arrays."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        assert self._data[:8] == b"\x89HDF\r\n\x1a\n" and self._data[8] == 0
        tree, heap = struct.unpack_from("<QQ", self._data, 56 + 24)
        (names,) = struct.unpack_from("<Q", self._data, heap + 24)
        self._headers = dict(self._entries(tree, names))

    def _entries(self, at: int, names: int) -> Iterator[tuple[str, int]]:
        if self._data[at : at + 4] == b"SNOD":
            (many,) = struct.unpack_from("<H", self._data, at + 6)
            for n in range(many):
                name, header = struct.unpack_from("<QQ", self._data, at + 8 + 40 * n)
                end = self._data.index(b"\0", names + name)
                yield self._data[names + name : end].decode(), header
            return
        (many,) = struct.unpack_from("<H", self._data, at + 6)
        for n in range(many):
            yield from self._entries(struct.unpack_from("<Q", self._data, at + 32 + 16 * n)[0], names)

    def _messages(self, at: int) -> Iterator[tuple[int, int]]:
        many, size = struct.unpack_from("<H", self._data, at + 2)[0], struct.unpack_from("<I", self._data, at + 8)[0]
        blocks = [(at + 16, size)]
        while blocks and many:
            start, length = blocks.pop(0)
            end = start + length
            while start < end and many:
                kind, size = struct.unpack_from("<HH", self._data, start)
                if kind == 0x10:
                    blocks.append(struct.unpack_from("<QQ", self._data, start + 8))
                yield kind, start + 8
                start, many = start + 8 + size, many - 1

    def __getitem__(self, name: str) -> Any:
        said = dict(self._messages(self._headers[name]))
        rank = self._data[said[1] + 1]
        shape = struct.unpack_from(f"<{rank}Q", self._data, said[1] + (8 if self._data[said[1]] == 1 else 4))
        assert struct.unpack_from("<I", self._data, said[3] + 4)[0] == 4  # float32
        layout = said[8]
        assert (self._data[layout], self._data[layout + 1]) == (3, 2), "chunked, version 3"
        (tree,) = struct.unpack_from("<Q", self._data, layout + 3)
        chunk = struct.unpack_from(f"<{rank}I", self._data, layout + 11)
        out = np.zeros(shape, np.float32)
        for offset, raw in self._chunks(tree, rank):
            part = np.frombuffer(zlib.decompress(raw), "<f4").reshape(chunk)
            ends = [min(o + c, s) for o, c, s in zip(offset, chunk, shape, strict=True)]
            inner = tuple(slice(0, e - o) for o, e in zip(offset, ends, strict=True))
            out[tuple(slice(o, e) for o, e in zip(offset, ends, strict=True))] = part[inner]
        return out

    def _chunks(self, at: int, rank: int) -> Iterator[tuple[tuple[int, ...], bytes]]:
        level, (many,) = self._data[at + 5], struct.unpack_from("<H", self._data, at + 6)
        key = 8 + 8 * (rank + 1)
        for n in range(many):
            start = at + 24 + n * (key + 8)
            (child,) = struct.unpack_from("<Q", self._data, start + key)
            if level:
                yield from self._chunks(child, rank)
                continue
            (size,) = struct.unpack_from("<I", self._data, start)
            yield struct.unpack_from(f"<{rank}Q", self._data, start + 8), self._data[child : child + size]
