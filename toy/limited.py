# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands of somebody else's, which may take and print what they like: they get a time, and little is kept."""

from __future__ import annotations

import os
import select
import signal
import time

from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TookTooLong(process.Failed):
    """A command that was killed after some seconds."""

    def __init__(self, command: Sequence[str], seconds: int, lines: Sequence[str] = ()) -> None:
        super().__init__(command, -9, f"took more than {seconds} s", lines)


_LONGEST = 1 << 16
"""Most bytes that are kept of what a command of somebody else's prints."""


def run(
    command: list[str],
    *,
    seconds: int,
    stdin: bytes = b"",
    lines: int = 0,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Run a command to its end, of which nobody knows how long it takes and how much it prints.

    `stdin` is what it reads there. Returns the first `lines` lines of its stdout. If it takes more than `seconds` to
    print the next one of them, or to end after the last one, or something interrupts us, it is killed. Raises Failed if
    it fails, TookTooLong, and ToyError if it is not installed.
    """
    there, here = os.pipe()
    out_there, out_here = os.pipe()
    with (
        open(there, "rb", buffering=0),
        open(out_there, "rb", buffering=0),
        open(os.memfd_create("stdin"), "w+b") as content,
    ):
        try:
            content.write(stdin)
            content.seek(0)
            pid = process.begin(command, stdin=content.fileno(), stdout=out_here, stderr=here, environment=environment)
        finally:
            os.close(here)
            os.close(out_here)
        has_ended = False
        try:
            has_ended, said, printed = _watched(pid, there, out_there, seconds, lines)
        finally:
            if not has_ended:
                os.kill(pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    last = process.last_line(said)
    complete = printed.decode(errors="replace").split("\n")[:-1][:lines]
    if not has_ended:
        raise TookTooLong(command, seconds, complete)
    if status:
        raise process.Failed(command, status, last, complete)
    return complete


def _watched(pid: int, stderr: int, stdout: int, seconds: int, lines: int) -> tuple[bool, bytes, bytes]:
    """Wait for the end of a process for some seconds, and as long again for each of the first `lines` lines of stdout.

    Returns whether it came, the last bytes from `stderr`, and the first ones from `stdout`.
    """
    deadline = time.monotonic() + seconds
    said = printed = b""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(stderr, select.POLLIN)
        poll.register(stdout, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(poll.poll(left * 1000))
            if stderr in ready:
                part = os.read(stderr, _LONGEST)
                said = (said + part)[-_LONGEST:]
                if not part:
                    poll.unregister(stderr)
            if stdout in ready:
                part = os.read(stdout, _LONGEST)
                before = printed.count(b"\n")
                printed = (printed + part)[:_LONGEST]
                if before < min(printed.count(b"\n"), lines):
                    deadline = time.monotonic() + seconds
                if not part:
                    poll.unregister(stdout)
            if ready.keys() == {ended}:
                return True, said, printed
        return False, said, printed
    finally:
        os.close(ended)
