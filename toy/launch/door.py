# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket at which a machine's keeper is to be found. It lies where only root can connect to it."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine import Machine

_MOST = 64
"""Toys that may be waiting for the keeper."""


def open_for(machine: Machine) -> socket:
    """Return the socket of a machine that is locked, for its keeper to listen at."""
    remove(machine)
    listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)
    listening.bind(machine.socket)
    listening.listen(_MOST)
    return listening


def accept(listening: socket) -> socket | None:
    """Return the connection of the next who waits, or None if nobody does.

    Raises OSError if too many files are open.
    """
    try:
        fd, _ = listening._accept()  # type: ignore[attr-defined]
    except BlockingIOError:
        return None
    return socket(fileno=fd)


def remove(machine: Machine) -> None:
    """Remove the socket of a machine's keeper."""
    try:
        os.unlink(machine.socket)
    except FileNotFoundError:
        pass


def connect(machine: Machine) -> socket | None:
    """Return a connection to a machine's keeper, or None if there is none, or if there wait as many as can."""
    connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)
    try:
        connection.connect(machine.socket)
        connection.setblocking(True)
        return connection
    except OSError:  # who locks the machine says what is wrong with the path
        connection.close()
        return None
