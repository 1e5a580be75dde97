"""Reads the headers of programs and libraries of Linux, so that they can be judged without being run.

Source: the ELF-64 object file format and elf(5); only what is little-endian and 64 bits wide is looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF\x02\x01"
MACHINES = {62: "amd64", 183: "arm64"}
INTERPRETER = 3
HEADER_SIZE, PROGRAM_HEADER = 64, struct.Struct("<IIQQQQQQ")
PROGRAM_HEADERS_AT, SECTION_HEADERS_AT = 32, 40
COUNTS_AT, SECTION_COUNTS_AT = 54, 58


@dataclass(frozen=True, kw_only=True)
class Program:
    """`machine` as Docker calls it, empty where unknown; `interpreter` is the loader's path, empty if there is none."""

    machine: str
    interpreter: str


def read_program(data: bytes) -> Program | None:
    """What the headers say; None for anything but an ELF file."""
    if not _is_elf(data):
        return None
    machine = struct.unpack_from("<H", data, 18)[0]
    segments = (data[offset : offset + size] for kind, offset, size in _segments(data) if kind == INTERPRETER)
    loader = next(segments, b"").rstrip(b"\0").decode(errors="replace")
    return Program(machine=MACHINES.get(machine, ""), interpreter=loader)


def without_symbols(data: bytes) -> bytes:
    """A library without what is behind its last segment: symbols and debugging data, which no loader reads.

    It is most of some libraries. Everything that is loaded stays as it is, byte for byte; other files stay whole.
    """
    if not _is_elf(data):
        return data
    ends = [offset + size for _, offset, size in _segments(data)]
    end = max(ends, default=0)
    if not HEADER_SIZE < end < len(data):
        return data
    header = bytearray(data[:HEADER_SIZE])
    struct.pack_into("<Q", header, SECTION_HEADERS_AT, 0)
    struct.pack_into("<HHH", header, SECTION_COUNTS_AT, 0, 0, 0)
    return bytes(header) + data[HEADER_SIZE:end]


def _is_elf(data: bytes) -> bool:
    return data.startswith(MAGIC) and len(data) >= HEADER_SIZE


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, offset, size in the file) of each segment that lies within the file."""
    (start,) = struct.unpack_from("<Q", data, PROGRAM_HEADERS_AT)
    size, count = struct.unpack_from("<HH", data, COUNTS_AT)
    for number in range(count):
        at = start + number * size
        if size < PROGRAM_HEADER.size or at + size > len(data):
            return
        kind, _, offset, _, _, length, _, _ = PROGRAM_HEADER.unpack_from(data, at)
        yield kind, offset, length
