# SPDX-License-Identifier: GPL-2.0-or-later
"""What is typed on the caller's terminal, until a command in a machine has read it.

The command gets a line at a time, once it has read all before. What it has not read when it ends is given back to the
caller's terminal, for the next who reads there, as if the command had had that terminal itself. What was read never
comes back, whatever a process in the machine puts into its own terminal: else that could type commands for the host.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from fcntl import ioctl

from ..streams import say
from .terminal import LONGEST_QUEUE, opened_anew, put_in, raw, set_modes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .terminal import Modes, Terminal

_CHUNK = 128
"""Most bytes that are put into the queue of the command's terminal at a time. Who reads there wakes who waits to write
on the other side only if no more than that are left (TTY_THRESHOLD_UNTHROTTLE in drivers/tty/n_tty.c)."""

_MOMENT = 50
"""Milliseconds in which the kernel puts more of what was typed into the queue of a terminal that was full."""

_SIGNALS = (termios.VINTR, termios.VQUIT, termios.VSUSP)


class Keyboard:
    """The way of what is typed, from a terminal of the caller's to one of a command's."""

    def __init__(self, here: Terminal, master: int, slave: int) -> None:
        self._here = here
        self._slave, _ = opened_anew(slave)
        self._reads = select.epoll()
        # Each who reads from the slave wakes who waits to write to the master, which there is always room for.
        self._reads.register(master, select.EPOLLOUT | select.EPOLLET)
        self._held = b""
        self._unread = b""
        """What is in the queue of the command's terminal, and nobody has read any of."""

    def close(self) -> None:
        """Close what is open."""
        self._reads.close()
        os.close(self._slave)

    def fileno(self) -> int:
        """Return a descriptor that is readable when the command may have read something."""
        return self._reads.fileno()

    def is_waiting(self) -> bool:
        """Say whether something waits to be delivered: to be tried now and then, as nothing tells of a flush."""
        return bool(self._held)

    def is_full(self) -> bool:
        """Say whether no more can be taken."""
        return len(self._held) >= LONGEST_QUEUE

    def take(self) -> bool:
        """Take what was typed, and say whether more may come."""
        some = self._here.read()
        self._held += some or b""
        return some != b""

    def deliver_first(self, typed: bytes) -> None:
        """Deliver what was typed before the command begins: it shows already, or was not to be shown."""
        modes = termios.tcgetattr(self._slave)
        silent = [*modes]
        assert isinstance(silent[3], int)
        silent[3] &= ~(termios.ECHO | termios.ECHONL)
        termios.tcsetattr(self._slave, termios.TCSANOW, silent)
        self._held = typed
        self.deliver()
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    def deliver(self) -> None:
        """Have the command read what was typed, as far as it has read what was before."""
        self._notice()
        try:
            while self._held:
                modes = termios.tcgetattr(self._slave)
                if not self._is_ready(modes):
                    if not self._deliver_urgent(modes):
                        return
                    continue
                size = self._held[:_CHUNK].replace(b"\r", b"\n").find(b"\n") + 1 or _CHUNK
                put_in(self._slave, self._held[:size])
                is_begun = self._unread[-1:] not in b"\r\n" and bool(modes[3] & termios.ICANON)
                self._unread = (self._unread if is_begun else b"") + self._held[:size]
                self._held = self._held[size:]
        except (OSError, termios.error):
            self._held = b""  # the terminal went away

    def give_back(self, *, unread: bool) -> None:
        """Give back to the caller's terminal what was typed and not delivered, with `unread` also what was not read."""
        self._notice()
        typed, self._held = (self._unread if unread and self._is_unread() else b"") + self._held, b""
        if typed:
            typed += self._later()
        for signal in _signals(self._here.modes()):
            typed = typed.rpartition(signal)[2]
        kept = typed
        if len(typed) > LONGEST_QUEUE:
            kept = typed[: typed.replace(b"\r", b"\n").rfind(b"\n", 0, LONGEST_QUEUE) + 1]  # no half of a command
        self._here.give_back(kept)
        if lost := len(typed) - len(kept):
            say(f"{lost} bytes that were typed are lost: a terminal keeps {LONGEST_QUEUE} at most")

    def _later(self) -> bytes:
        """Return what was typed later than what is here, and must follow it."""
        poll = select.poll()
        poll.register(self._here.fd, select.POLLIN)
        later = b""
        while some := self._here.read():
            later += some
            if len(later) >= LONGEST_QUEUE:
                poll.poll(_MOMENT)  # for more of something long that was pasted
        return later

    def _notice(self) -> None:
        if self._reads.poll(0):
            self._unread = b""

    def _is_ready(self, modes: Modes) -> bool:
        """Say whether the command has read all that it got, or gets none of it before there is more."""
        queued = int.from_bytes(ioctl(self._slave, termios.FIONREAD, bytes(4)), sys.byteorder)
        least = modes[6][termios.VMIN]  # type: ignore[index]
        return queued == 0 or (isinstance(least, int) and queued < least)

    def _deliver_urgent(self, modes: Modes) -> bool:
        """Deliver what a terminal acts on at once, and say whether there was any."""
        flags, characters = modes[0], modes[6]
        assert isinstance(flags, int) and isinstance(characters, list)
        flow = [characters[termios.VSTOP], characters[termios.VSTART]] if flags & termios.IXON else []
        signals = _signals(modes)
        for position in range(len(self._held)):
            each = self._held[position : position + 1]
            if each in signals:
                self._held = self._held[position + 1 :]  # what was before is flushed, as the kernel does it
                put_in(self._slave, each)
                self._notice()
                self._unread = b""
                return True
            if each in flow:
                self._held = self._held[:position] + self._held[position + 1 :]
                put_in(self._slave, each)
                return True
        return False

    def _is_unread(self) -> bool:
        """Say whether the queue is what was put in; it is empty afterwards."""
        if not self._unread:
            return False
        try:
            set_modes(self._slave, raw(termios.tcgetattr(self._slave), output=True))
            queued = os.read(self._slave, LONGEST_QUEUE)
        except (OSError, termios.error):
            return False
        return queued.replace(b"\r", b"\n") == self._unread.replace(b"\r", b"\n")  # as ICRNL has it, see termios(3)


def _signals(modes: Modes) -> list[bytes]:
    """Return the characters of which a terminal makes signals."""
    flags, characters = modes[3], modes[6]
    assert isinstance(flags, int) and isinstance(characters, list)
    found = [characters[each] for each in _SIGNALS] if flags & termios.ISIG else []
    return [each for each in found if isinstance(each, bytes) and each != b"\0"]
