# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's terminal: its modes and size, and what is typed on it and shown there.

A command in a machine has a pseudo-terminal of the machine's own. `relay` copies between the two.
"""

from __future__ import annotations

import os
import termios
from fcntl import ioctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    Modes = list[int | list[bytes | int]]

_SIZE = 8
"""Bytes of a struct winsize, see ioctl_tty(2)."""


class Terminal:
    """The terminal that stdin, stdout or stderr is connected to: the first of them that is one."""

    def __init__(self, fd: int) -> None:
        self._given = fd
        number = os.fstat(fd).st_rdev
        self.streams = [each for each in range(3) if os.isatty(each) and os.fstat(each).st_rdev == number]
        """Those of the descriptors 0, 1 and 2 that are this terminal."""
        self.fd, self._is_own = _opened(fd)
        self._saved: Modes | None = None

    def close(self) -> None:
        """Restore the modes of the terminal."""
        self.restore()
        if self._is_own:
            os.close(self.fd)

    def is_foreground(self) -> bool:
        """Say whether our process group may read from the terminal."""
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:  # it is not the terminal of our session
            return True

    def modes(self) -> Modes:
        """Return the modes that the terminal has, or had before `make_raw`."""
        return self._saved or termios.tcgetattr(self.fd)

    def size(self) -> bytes:
        """Return the size of the window, a struct winsize."""
        return ioctl(self.fd, termios.TIOCGWINSZ, bytes(_SIZE))

    def make_raw(self) -> None:
        """Have the terminal hand on each byte that is typed, and all bytes that are printed, as they are.

        If it is not all that the three streams are connected to, other programs print there as well, so that lines
        keep to be ended by CR and LF.
        """
        if self._saved is not None:
            return
        try:
            saved = termios.tcgetattr(self.fd)
            termios.tcsetattr(self.fd, termios.TCSANOW, _raw(saved, output=len(self.streams) == 3))
        except termios.error:
            return  # it went away
        self._saved = saved

    def restore(self) -> None:
        """Restore the modes from before `make_raw`."""
        saved, self._saved = self._saved, None
        if saved is not None:
            try:
                termios.tcsetattr(self.fd, termios.TCSANOW, saved)
            except termios.error:
                pass  # it went away

    def give_back(self, typed: bytes) -> None:
        """Have bytes read again by the next who reads from the terminal, with the modes from before `make_raw`."""
        self.restore()
        try:
            for number in typed:
                ioctl(self.fd, termios.TIOCSTI, bytes([number]))
        except OSError:
            pass  # it went away


def find() -> Terminal | None:
    """Return the caller's terminal, or None if none of stdin, stdout and stderr is one."""
    for fd in range(3):
        if os.isatty(fd):
            return Terminal(fd)
    return None


def set_size(fd: int, size: bytes) -> None:
    """Set the size of a terminal's window; if it is another one, the kernel sends SIGWINCH."""
    ioctl(fd, termios.TIOCSWINSZ, size)


def set_modes(fd: int, modes: Modes) -> None:
    """Set the modes of a terminal."""
    termios.tcsetattr(fd, termios.TCSANOW, modes)


def _opened(fd: int) -> tuple[int, bool]:
    """Open a terminal once more, without blocking: that would show to all who have it open. Else return it as it is."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC), True
    except OSError:
        return fd, False


def _raw(modes: Modes, *, output: bool) -> Modes:
    """Return modes as cfmakeraw(3) makes them, if `output` is false without what concerns output."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = modes
    assert isinstance(iflag, int) and isinstance(oflag, int) and isinstance(lflag, int) and isinstance(characters, list)
    iflag &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR
        | termios.ICRNL | termios.IXON
    )  # fmt: skip
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    if output:
        oflag &= ~termios.OPOST
    characters = [*characters]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]
