# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that runs, as its keeper has it: the systemd-nspawn that was started, and the machine's first process."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
import sys
from _socket import AF_UNIX, CMSG_SPACE, SCM_CREDENTIALS, SO_PASSCRED, SOCK_SEQPACKET, SOL_SOCKET, socketpair

from .. import process
from ..machine import HOST
from ..sessions import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .invocation import Invocation
    from .resolver import Watch

_CREDENTIALS = 12
"""Bytes of a struct ucred: the numbers of a process, its user and its group (unix(7))."""


class Running:
    """A machine that runs, or is about to."""

    def __init__(self, entry: Invocation) -> None:
        """Start systemd-nspawn. Raises ToyError or OSError if it cannot be executed."""
        self.leader: tuple[int, int] | None = None
        """PID of the machine's first process, and a pidfd of it, once the machine is up."""
        self.note = ""
        """What a user should know of it."""
        self._is_silent = True
        """Whether the machine's first process has yet to say something; more is not listened to."""
        self._resolver: Watch | None = None
        self._machine_end, its = socketpair(AF_UNIX, SOCK_SEQPACKET)
        self._machine_end.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        self._stderr, stderr = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(stderr, True)
        environment = {**os.environ, **entry.environment}
        environment.pop("TERM", None)  # which nspawn would hand on: each session has another terminal
        environment.pop("NOTIFY_SOCKET", None)  # a service that runs toy is not ready when nspawn is
        self._pid = process.spawn(entry.command, environment, stdin=its.fileno(), stderr=stderr)
        its.close()
        os.close(stderr)
        self.pidfd = os.pidfd_open(self._pid)
        """Of systemd-nspawn: readable once that has ended."""

    def fds(self) -> list[int]:
        """Return the descriptors that are readable when there is something for `act`."""
        fds = [self._stderr]
        fds += [self._machine_end.fileno()] if self._is_silent else []
        fds += [self._resolver.fileno()] if self._resolver is not None else []
        return [fd for fd in fds if fd >= 0]

    def act(self, fd: int) -> bytes:
        """Act on a descriptor that is readable. Returns what systemd-nspawn, or what mounts for it, said on stderr."""
        if fd == self._stderr:
            return self._said()
        if self._is_silent and fd == self._machine_end.fileno():
            self._come_up()
        elif self._resolver is not None and self.leader is not None:
            self._resolver.follow(self.leader[0])
        return b""

    def kill(self) -> None:
        """Kill a machine that may never come up, and that nobody waits for any more."""
        os.kill(self._pid, _signal.SIGKILL)

    def end(self) -> tuple[int, bytes]:
        """End the machine. Returns the exit status of systemd-nspawn, -N if signal N ended it, and what it said."""
        self._machine_end.close()  # which the machine's first process waits for
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return status, self._said()

    def _come_up(self) -> None:
        """Act on the first line of the machine's first process, or on its end."""
        self._is_silent = False
        _, ancillary, _, _ = self._machine_end.recvmsg(64, CMSG_SPACE(_CREDENTIALS))
        pid = next(
            (int.from_bytes(each[:4], sys.byteorder) for _, kind, each in ancillary if kind == SCM_CREDENTIALS), 0
        )
        if pid:
            self.leader = pid, os.pidfd_open(pid)
            self._show_host(*self.leader)
            from .resolver import Watch

            self._resolver = Watch()

    def _show_host(self, pid: int, pidfd: int) -> None:
        from . import host_root

        try:
            host_root.show(pid, pidfd)
        except OSError as error:
            see = "see how old this kernel is: uname -r" if error.errno == errno.ENOSYS else "see: dmesg | tail"
            self.note = f"the host's root does not show at {HOST}: {error.strerror}; {see}"

    def _said(self) -> bytes:
        if self._stderr < 0:
            return b""
        try:
            some = os.read(self._stderr, messages.LONGEST)
        except BlockingIOError:
            return b""
        if not some:
            os.close(self._stderr)
            self._stderr = -1
        return some
