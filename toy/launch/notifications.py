# SPDX-License-Identifier: GPL-2.0-or-later
"""Receives what systemd-nspawn says by sd_notify(3): that a machine is up.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import sys

# The C module below socket, which makes enums of its constants: that saves 6.4 ms of each launch (see `launch`).
from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_DONTWAIT,
    SCM_CREDENTIALS,
    SO_PASSCRED,
    SOCK_DGRAM,
    SOL_SOCKET,
    socket,
)

_CREDENTIALS = 12
"""Bytes of a struct ucred: the numbers of a process, its user and its group (unix(7))."""


class Notifications:
    """A socket for sd_notify(3), read while its senders are at work: they would wait once it is full."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.is_up = False
        """Whether root ever sent READY=1."""

    def __enter__(self) -> Notifications:  # noqa: PYI034, typing takes time
        self._remove()
        self._socket = socket(AF_UNIX, SOCK_DGRAM)
        self._socket.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        self._socket.bind(self._address)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._remove()

    def _remove(self) -> None:
        try:
            os.unlink(self._address)  # a launch that was killed left it
        except FileNotFoundError:
            pass

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def read(self) -> None:
        """Read the messages that were sent until now, and update `is_up`."""
        try:
            while True:
                said, data, _, _ = self._socket.recvmsg(4096, CMSG_SPACE(_CREDENTIALS), MSG_DONTWAIT)
                uids = [int.from_bytes(each[4:8], sys.byteorder) for _, kind, each in data if kind == SCM_CREDENTIALS]
                if uids == [0] and b"READY=1" in said.splitlines():
                    self.is_up = True
        except BlockingIOError:
            pass
