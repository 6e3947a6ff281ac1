# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb `list`: what it prints on stdout."""

import datetime
import json
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence

from ..errors import Attempt, ToyError, printable
from ..host import inside
from ..streams import show
from . import members
from .members import NOT_IN_USE, Entry, Member

_VERSION = 1
"""Version of the output of `toy list --json`: another one if a field goes or comes to mean something else."""

_HEADINGS = ("MACHINE", "PID", "USER", "TERMINAL", "SINCE", "COMMAND")
_NONE = "-"
_SHELL = "(a shell)"

_WIDTH = 132
"""Columns of the table where that is no matter of the terminal."""

_CELL = 32
"""Most characters in a cell of another column than the first or the last."""

_COMMAND = 20
"""Characters of a command that are shown on the narrowest terminal."""


def show_all(*, as_json: bool) -> None:
    """Print all machines, and who is in each."""
    here = inside.machine()
    if here is not None:
        raise ToyError(f"this is inside machine {here}, where it does not show who is in", "on the host: toy list")
    with Attempt("list the machines"):
        found = members.entries()
    show([json.dumps(fields(found), indent=2)] if as_json else lines(found, width=_columns()))


def lines(entries: Iterable[Entry], *, width: int) -> Iterator[str]:
    """Yield the lines of a table that is at most `width` columns wide if there is room for commands."""
    rows = [_HEADINGS, *(row for entry in entries for row in _rows(entry))]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    room = max(width - sum(widths) - 2 * len(widths), _COMMAND)
    for *cells, command in rows:
        start = [cell.ljust(size) for cell, size in zip(cells, widths, strict=True)]
        yield "  ".join([*start, _cut(command, room)])


def _rows(entry: Entry) -> Iterator[Sequence[str]]:
    for member in entry.members or ():
        yield entry.machine, *_cells(member)
    if not entry.members:
        state = _NONE if entry.state == NOT_IN_USE else f"({entry.state})"
        yield entry.machine, _NONE, _NONE, _NONE, _NONE, state


def _cells(member: Member) -> Iterator[str]:
    yield f"{member.pid}"
    yield _cut(printable(member.user), _CELL)
    yield _cut(printable(member.terminal.removeprefix("/dev/") or _NONE), _CELL)
    yield time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(member.since))
    yield printable(shlex.join(member.command) or _SHELL)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _columns() -> int:
    try:
        return os.get_terminal_size(1).columns or _WIDTH
    except OSError:
        return _WIDTH


def fields(entries: Iterable[Entry]) -> dict[str, object]:
    """Return the fields of `toy list --json`, for json.dumps."""
    return {
        "version": _VERSION,
        "machines": [
            {
                "machine": entry.machine,
                "state": entry.state,
                "in": None if entry.members is None else [_plain(member) for member in entry.members],
            }
            for entry in entries
        ],
    }


def _plain(member: Member) -> dict[str, object]:
    return {
        "pid": member.pid,
        "user": member.user,
        "terminal": member.terminal or None,
        "since": datetime.datetime.fromtimestamp(member.since, datetime.UTC).isoformat(),
        "command": member.command,
    }
