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
    """Open /dev/null for each of stdin, stdout and stderr that is closed: else the next file opened takes its number.

    It is open for reading only, so to write to it fails with EBADF, as for a closed descriptor.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # it gets the lowest free number, which is `fd`


def complain(text: str) -> None:
    """Print text on stderr. An error of that is ignored: there is nowhere else to report it."""
    try:
        os.write(2, _encoded(text, sys.stderr))
    except OSError:
        pass


def say(line: str) -> None:
    """Print a line for the user on stderr, as `complain` does."""
    complain(f"toy: {printable(line)}\n")


def show(lines: Iterable[str]) -> None:
    """Print lines on stdout, until the reader of a pipe closes it. Raises ToyError if they cannot be written."""
    rest = memoryview(_encoded("".join(f"{line}\n" for line in lines), sys.stdout))
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        pass
    except OSError as error:
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise ToyError(f"cannot write to stdout: {why}", f"write it to a file elsewhere: {typed()} >FILE") from error


def _encoded(text: str, stream: TextIO | None) -> bytes:
    """Return text in a stream's encoding, what that lacks escaped. `stream` is None if it was closed at the start."""
    return text.encode("utf-8" if stream is None else stream.encoding, "backslashreplace")
