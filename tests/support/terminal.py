# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal as a user has it: keys, a screen, a size, and modes."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Mapping
from typing import Any

from host import Host

# What tells the terminal which program it shows is for it alone (https://uapi-group.org/specifications/specs/osc_context).
CONTEXT = re.compile(rb"\x1b\]3008;[^\x1b]*\x1b\\")

PROMPT = r"(?<![^\r\nh])\$ "
SHELL = ("bash", "--norc", "-i")
"""A shell as a user has it, with job control, which prompts with "$ ", on an xterm after an escape sequence."""


class Terminal:
    """A command in the host on a terminal of its own. `size` is in rows and columns."""

    def __init__(
        self,
        host: Host,
        *command: str,
        term: str = "dumb",
        size: tuple[int, int] = (24, 80),
        env: Mapping[str, str] | None = None,
    ) -> None:
        variables = {"TERM": term, "PS1": "$ ", **(env or {})}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            _set_size(0, size)
            line = host.command("env", *(f"{name}={value}" for name, value in variables.items()), *command)
            os.execvp(line[0], line)
        self._seen = b""

    def type(self, text: str | bytes) -> None:
        """Type something, or paste it: what comes on the screen meanwhile is read."""
        typed = text.encode() if isinstance(text, str) else text
        while typed:
            readable, writable, _ = select.select([self._fd], [self._fd], [])
            if readable:
                self._see(os.read(self._fd, 4096))
            if writable:
                typed = typed[os.write(self._fd, typed[:512]) :]

    def type_blindly(self, text: str) -> None:
        """Type something while nobody reads from the screen."""
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> "re.Match[bytes]":
        """Wait until something is on the screen; what was before it is forgotten."""
        while not (match := re.search(pattern.encode(), self._seen)):
            self._see(os.read(self._fd, 4096))
        self._seen = self._seen[match.end() :]
        return match

    def shows(self, pattern: str) -> list[str]:
        """Wait until something is on the screen, and return the lines before it."""
        match = self.expect(pattern)
        return match.string[: match.start()].decode(errors="replace").splitlines()

    def run(self, line: str) -> list[str]:
        """Type a line at the prompt of a SHELL, and return what comes on the screen up to the next prompt."""
        self.type(f"{line}\n")
        return self.shows(PROMPT)[1:]

    def modes(self) -> list[Any]:
        """Return the terminal's modes."""
        return termios.tcgetattr(self._fd)

    def wait_until_raw(self) -> None:
        """Wait until no key is a signal on this terminal itself."""
        while self.modes()[3] & termios.ISIG:
            pass

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        _set_size(self._fd, (rows, columns))

    def hang_up(self) -> None:
        """Close the terminal, and wait until the command has noticed."""
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def rest(self) -> bytes:
        """Return what comes on the screen to the end."""
        parts = []
        try:
            while some := os.read(self._fd, 1 << 16):
                parts.append(some)
        except OSError:
            pass  # so Linux says that the other side is gone
        self._see(b"".join(parts))
        return self._seen

    def end(self) -> int:
        """Read to the end and return the exit status."""
        self.rest()
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _see(self, some: bytes) -> None:
        self._seen = CONTEXT.sub(b"", self._seen + some)


def shell(host: Host, term: str = "dumb") -> Terminal:
    """Return a terminal with a SHELL on it, at its prompt."""
    terminal = Terminal(host, *SHELL, term=term)
    terminal.expect(PROMPT)
    return terminal


def _set_size(fd: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
