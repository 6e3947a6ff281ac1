# SPDX-License-Identifier: GPL-2.0-or-later
"""A toy that is in a machine, as the machine's keeper has it: a connection, and its stderr and terminal."""

from __future__ import annotations

import os
import select
import time

from ..sessions import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Sequence

    from ..sessions.terminal import Modes


class Client:
    """A toy that is in, or wants to be."""

    def __init__(self, connection: socket) -> None:
        self.connection = connection
        self.stderr: int | None = None
        self.terminal: int | None = None
        self._modes: Modes = []
        """Those of its terminal before it has changed any."""
        self.fields: list[str] = []
        """What it said of itself, once it said "enter"."""
        self.since = time.time()
        self.is_in = False
        self.is_done = False

    def send(self, *fields: str, fd: int | None = None) -> None:
        """Send a message, with a descriptor or without."""
        try:
            messages.send(self.connection, os.fsencode("\0".join(fields)), *(() if fd is None else (fd,)))
        except OSError:
            pass  # it was killed: so its connection ends

    def take(self, fds: Sequence[int]) -> None:
        """Take the descriptors that it sent: its stderr, and its terminal if it has one."""
        self.stderr, self.terminal = fds[0], fds[1] if len(fds) > 1 else None
        if self.terminal is not None:
            from ..sessions import terminal

            self._modes = terminal.modes_of(self.terminal)

    def show(self, some: bytes) -> None:
        """Print something on its stderr, as far as there is room: nobody keeps the machine from the others."""
        if self.stderr is None:
            return
        from ..sessions import terminal

        fd, is_own = terminal.opened_anew(self.stderr) if os.isatty(self.stderr) else (self.stderr, False)
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        try:
            while some and dict(poll.poll(0)).get(fd) == select.POLLOUT:
                some = some[os.write(fd, some[: select.PIPE_BUF]) :]
        except OSError:
            pass  # it went away
        if is_own:
            os.close(fd)

    def close(self) -> None:
        """Close what is open. If it was killed, its terminal gets back its modes."""
        self.connection.close()
        if self.terminal is not None:
            from ..sessions import terminal

            if not self.is_done:
                terminal.restore(self.terminal, self._modes)
            os.close(self.terminal)
        if self.stderr is not None:
            os.close(self.stderr)
