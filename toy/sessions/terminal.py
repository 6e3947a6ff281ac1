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

LONGEST_QUEUE = 4095
"""Most bytes that a terminal keeps for who reads from it, see termios(3)."""

_MOST = 1 << 16
"""Bytes that are read at a time."""


class Terminal:
    """The first terminal that stdin, stdout or stderr is connected to, or else that of our session.

    On the latter a command can ask for a password, whatever its streams are.
    """

    def __init__(self, fd: int) -> None:
        number = os.fstat(fd).st_rdev
        self.streams = [each for each in range(3) if os.isatty(each) and os.fstat(each).st_rdev == number]
        """Those of the descriptors 0, 1 and 2 that are this terminal."""
        self._is_all = len(self.streams) == 3
        self.fd, self._is_own = opened_anew(fd)
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
        return size(self.fd)

    def make_raw(self) -> None:
        """Have the terminal hand on each byte that is typed, and all bytes that are printed, as they are.

        If it is not all that the three streams are connected to, other programs print there as well, so what is printed
        stays as it was, see `printed`.
        """
        if self._saved is not None:
            return
        try:
            saved = termios.tcgetattr(self.fd)
            termios.tcsetattr(self.fd, termios.TCSANOW, raw(saved, output=self._is_all))
        except termios.error:
            return  # it went away
        self._saved = saved

    def begin(self) -> bytes:
        """Make the terminal raw, and return what was typed before."""
        typed = b""
        flags, characters = self.modes()[3], self.modes()[6]
        assert isinstance(flags, int) and isinstance(characters, list)
        if flags & termios.ICANON:
            end = characters[termios.VEOF]
            assert isinstance(end, bytes)
            for _ in range(LONGEST_QUEUE):  # lines, and ends of input, which would be NULs if the terminal was raw
                some = self.read()
                if some is None:
                    break
                typed += some if some.endswith(b"\n") else some + end
        self.make_raw()
        return typed + (self.read() or b"")

    def printed(self, master: int) -> bytes | None:
        """Return what a command printed on its terminal, so that it looks the same here as there.

        None is nothing, and b"" that nobody has that terminal open any more. Where this terminal processes output, as
        others print here, what the command's terminal added is left out; and if the command has that switched off, this
        terminal gets it switched off, too: vim, say, moves down by LF alone.
        """
        some = read(master)
        if not some or (self._is_all and self._saved is not None):
            return some
        try:
            is_processed = _processes_output(termios.tcgetattr(master))  # the modes of the other side
            modes = termios.tcgetattr(self.fd)
            if self._saved is not None and _processes_output(modes) != is_processed:
                assert isinstance(modes[1], int)
                modes[1] ^= termios.OPOST
                termios.tcsetattr(self.fd, termios.TCSANOW, modes)
            return some.replace(b"\r\n", b"\n") if is_processed and _processes_output(modes) else some
        except termios.error:
            return some  # one of them went away

    def resize(self, master: int) -> bool:
        """Give the size of this terminal to the command's, and say whether that is another one."""
        try:
            before = size(master)
            set_size(master, self.size())  # if it is another one, the kernel sends SIGWINCH
            return size(master) != before
        except OSError:
            return False  # one of them went away

    def restore(self) -> None:
        """Restore the modes from before `make_raw`."""
        saved, self._saved = self._saved, None
        if saved is not None:
            try:
                termios.tcsetattr(self.fd, termios.TCSANOW, saved)
            except termios.error:
                pass  # it went away

    def read(self) -> bytes | None:
        """Return what was typed, None if that is nothing, and none if the terminal went away."""
        return read(self.fd)

    def give_back(self, typed: bytes) -> None:
        """Have bytes read by the next who reads from the terminal, with the modes from before `make_raw`, if it was."""
        if self._saved is None or not typed:
            return
        silent = [*self._saved]
        assert isinstance(silent[3], int)
        silent[3] &= ~(termios.ECHO | termios.ECHONL)  # who reads it shows it, or it shows already
        try:
            termios.tcsetattr(self.fd, termios.TCSANOW, silent)
            put_in(self.fd, typed)
        except (OSError, termios.error):
            pass  # it went away
        self.restore()


def find() -> Terminal | None:
    """Return the caller's terminal, or None if there is none."""
    for fd in range(3):
        if os.isatty(fd):
            return Terminal(fd)
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return Terminal(fd)
    finally:
        os.close(fd)


def size(fd: int) -> bytes:
    """Return the size of a terminal's window, a struct winsize."""
    return ioctl(fd, termios.TIOCGWINSZ, bytes(_SIZE))


def set_size(fd: int, size: bytes) -> None:
    """Set the size of a terminal's window; if it is another one, the kernel sends SIGWINCH."""
    ioctl(fd, termios.TIOCSWINSZ, size)


def modes_of(fd: int) -> Modes:
    """Return the modes of a terminal, or none if it went away."""
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return []


def restore(fd: int, modes: Modes) -> None:
    """Set the modes of a terminal that somebody made raw who was killed."""
    now = modes_of(fd)
    if not modes or not now:
        return  # it went away
    assert isinstance(now[3], int)
    if not now[3] & termios.ISIG:  # else somebody else has it by now
        try:
            termios.tcsetattr(fd, termios.TCSANOW, modes)
        except termios.error:
            pass


def set_modes(fd: int, modes: Modes) -> None:
    """Set the modes of a terminal."""
    termios.tcsetattr(fd, termios.TCSANOW, modes)


def put_in(fd: int, typed: bytes) -> None:
    """Have a terminal get bytes as if they were typed on it. Raises OSError if it went away."""
    for number in typed:
        ioctl(fd, termios.TIOCSTI, bytes([number]))


def read(fd: int) -> bytes | None:
    """Return bytes from a descriptor: none if nobody writes there any more, or None if there are none now."""
    try:
        return os.read(fd, _MOST)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def opened_anew(fd: int) -> tuple[int, bool]:
    """Open a terminal once more, without blocking: that would show to all who have it open. Else return it as it is."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC), True
    except OSError:
        return fd, False


def _processes_output(modes: Modes) -> bool:
    return isinstance(modes[1], int) and bool(modes[1] & termios.OPOST)


def raw(modes: Modes, *, output: bool) -> Modes:
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
