# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages with descriptors, over sockets that keep one message apart from the next (SOCK_SEQPACKET, unix(7))."""

from __future__ import annotations

import sys
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

LONGEST = 1 << 16
"""Most bytes of a message."""

_INT, _MOST = 4, 2
"""Bytes of a descriptor, and how many come with a message at most."""


def send(connection: socket, content: bytes, *fds: int) -> None:
    """Send a message. Raises OSError, of which ConnectionError means that the other side has gone."""
    # Without the module array, which takes 1.3 ms to import.
    rights = b"".join(fd.to_bytes(_INT, sys.byteorder) for fd in fds)
    connection.sendmsg([content], [(SOL_SOCKET, SCM_RIGHTS, rights)] if fds else [])


def receive(connection: socket) -> tuple[bytes, list[int]]:
    """Return a message and its descriptors, or nothing of either if the other side has gone. Raises OSError."""
    try:
        content, ancillary, _, _ = _received(connection)
    except ConnectionResetError:  # it did not read what we sent, which we hear once, before what it had sent
        content, ancillary, _, _ = _received(connection)
    rights = b"".join(each for _, kind, each in ancillary if kind == SCM_RIGHTS)
    starts = range(0, len(rights) - _INT + 1, _INT)
    return content, [int.from_bytes(rights[start : start + _INT], sys.byteorder) for start in starts]


def _received(connection: socket) -> tuple[bytes, list[tuple[int, int, bytes]], int, object]:
    return connection.recvmsg(LONGEST, CMSG_SPACE(_INT * _MOST), MSG_CMSG_CLOEXEC)
