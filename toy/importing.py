# SPDX-License-Identifier: GPL-2.0-or-later
"""`rpmdb --importdb`, confined: headers of a machine into a database of ours.

rpmdb(8) passes over a header that it does not like, or has no space for, and says that all is well: whoever imports
reads the database back and compares. No --initdb for a new one: that would fsync after every header.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from . import confined, run
from .errors import EXIT_FAILURE, ToyError

_CPU, _PATIENCE = 600, 3600
"""Seconds of CPU time, and by the clock: 10,000 headers take 22 of CPU time."""


class Import:
    """An import at work; as a context, it is over at the end. The database's directory is handed over."""

    def __init__(self, path: Path, stdin: int) -> None:
        self._path = path
        self._status: int | None = None
        self._stderr = os.memfd_create("stderr")
        command = ["rpmdb", "--dbpath", os.fspath(path), "--importdb"]

        def act(problem: ToyError | None) -> None:
            if problem is not None:
                os.write(self._stderr, str(problem).encode())
                os._exit(EXIT_FAILURE)
            os.dup2(stdin, 0)
            os.dup2(self._stderr, 2)
            os.execvp(command[0], command)  # noqa: S606, no shell is what we want

        run.trace(command)
        place = confined.Place(writable=os.fspath(path))
        self._pid = confined.start(act, place, fds=(stdin, self._stderr), cpu_seconds=_CPU, seconds=_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, if it has not ended."""
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            self.succeeded()

    def succeeded(self) -> bool:
        """Wait for its end, and say whether its exit status was 0."""
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
            with open(self._stderr, "rb") as stderr:
                stderr.seek(0)
                self._said = stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
        return self._status == 0

    def said(self) -> str:
        """Wait for its end, and return its last word on stderr. Raises ToyError if it failed."""
        if not self.succeeded():
            why = self._said or f"status {os.waitstatus_to_exitcode(self._status or 0)}"
            raise ToyError(
                f"rpmdb --importdb into {self._path} failed: {why}", f"see if there is space: df -h {self._path.parent}"
            )
        return self._said


def begin(path: Path, contents: Iterable[bytes]) -> Import:
    """Begin to import the contents of a few header files."""
    with open(os.memfd_create("stdin"), "w+b") as stdin:
        stdin.writelines(contents)
        stdin.seek(0)
        return Import(path, stdin.fileno())


def import_headers(path: Path, contents: Iterable[bytes]) -> str:
    """Import the contents of header files. Returns what rpm said, if anything. Raises ToyError if it failed."""
    theirs, ours = os.pipe()
    with Import(path, theirs) as work:
        os.close(theirs)
        try:
            for chunk in contents:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(ours, rest) :]
        except BrokenPipeError:
            pass  # it says why
        finally:
            os.close(ours)
        return work.said()
