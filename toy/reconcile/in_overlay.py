# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands in the overlay one after the other, in one systemd-nspawn: most take less time than that to start."""

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .. import limited, process, progress
from ..errors import ToyError
from .parts import Run


class Command(NamedTuple):
    """A command to run in the overlay."""

    words: Sequence[str]
    lines: Sequence[str] = ()
    """What it reads from stdin."""


_BEGIN = """
exec 3>&1 >/dev/null
input=$(mktemp) || exit
"""
"""Of stdout, commands get nothing: toy reads their statuses there."""


def script(commands: Iterable[Command]) -> bytes:
    """Return a script for sh that runs commands, and prints the exit status of each, a line each."""
    lines = [_BEGIN]
    for words, given in commands:
        end = "END"
        while any(end in line for line in given):
            end += "_"
        # Not by a pipe: what a command leaves running may keep that open, and read nothing.
        lines += [f"cat > \"$input\" <<'{end}'", *given, end]
        lines.append(f'{shlex.join(words)} < "$input" 3>&-')
        lines.append('echo "$?" >&3')
    return os.fsencode("\n".join([*lines, ""]))


def run_each(run: Run, commands: Sequence[Command], what: str) -> list[str | None]:
    """Run commands, each to its end, whatever becomes of the others; return for each why it failed, or None.

    A terminal shows meanwhile `what` they do.
    With the first one of which no status came, the script ended or was killed, and the rest is run by another one.
    """
    problems: list[str | None] = []
    while left := commands[len(problems) :]:
        why = "failed"
        try:
            with progress.during(what):
                statuses = run(["sh"], script(left), len(left))
        except ToyError as error:
            statuses = [*error.lines] if isinstance(error, process.Failed) else []
            why = error.why if isinstance(error, limited.TookTooLong) else why
        problems += [None if status == "0" else "failed" for status in statuses]
        if len(statuses) < len(left):
            problems.append(why)
    return problems
