# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints on stdout and stderr, which may be closed, full, or read by nobody any more.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import errno
import os
import sys

from .errors import ToyError, printable, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


def hold() -> None:
    """Open what is closed of stdin, stdout and stderr: else the next file that is opened takes its number.

    Nothing is to be read there, and to write fails with the error of a closed one.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # the lowest free number: this one


def complain(text: str) -> None:
    """Print text on stderr, if that takes it: there is nowhere else to say that it does not."""
    try:
        os.write(2, _encoded(text, sys.stderr))
    except OSError:
        pass


def say(line: str) -> None:
    """Print a line for the user on stderr, as `complain` does."""
    complain(f"toy: {printable(line)}\n")


def show(lines: Iterable[str]) -> None:
    """Print lines on stdout; who reads a pipe may have had enough. Raises ToyError if they cannot be written."""
    rest = memoryview(_encoded("".join(f"{line}\n" for line in lines), sys.stdout))
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        pass
    except OSError as error:
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise ToyError(f"cannot write to stdout: {why}", f"have it somewhere else: {typed()} >FILE") from error


def _encoded(text: str, stream: TextIO | None) -> bytes:
    """Return text in a stream's encoding; a locale may lack what a path has. Python has none for what was closed."""
    return text.encode("utf-8" if stream is None else stream.encoding, "backslashreplace")
