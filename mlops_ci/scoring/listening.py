"""The socket of the service, and how many connections the system lets it have."""

from __future__ import annotations

import ctypes
import resource
import socket
import struct
from contextlib import suppress

SO_ATTACH_FILTER = 26
FIRST_PACKETS = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x54, 0, 0, 0x12),  # of which those two, SYN and ACK
    (0x15, 0, 1, 0x02),  # are they SYN alone?
    (0x06, 0, 0, 0),  # then let nothing of the packet through
    (0x06, 0, 0, 0xFFFFFFFF),  # else all of it
)
"""A program for the kernel's packet filter (Linux, Documentation/networking/filter.rst) that drops what asks for a
connection, and lets through what completes one.
"""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the port, or to a free one for 0. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def allow_connections(number: int) -> None:
    """Raises the limit of open files, which is often lower than the system would let it be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def take_no_more(listener: socket.socket) -> None:
    """Has the system make no more connections at the socket, which is open still: those it has made may be accepted.

    Without it one that is made between the last accept and the close is reset. Who comes later tries again after a
    second, as after a packet that was lost, and is refused then. All processes that share the socket are concerned.
    """
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in FIRST_PACKETS)
    buffer = ctypes.create_string_buffer(code, len(code))
    with suppress(OSError):  # a system without such a filter: then what was said above may happen
        program = struct.pack("HP", len(FIRST_PACKETS), ctypes.addressof(buffer))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
