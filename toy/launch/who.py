# SPDX-License-Identifier: GPL-2.0-or-later
"""How a keeper writes down who is in its machine, and how that is read.

Each who is in is a row of fields: PID, user, terminal, since when in seconds, the number of the words of the command,
and these words. A NUL ends each field, since words of a command may have any other character.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Row = tuple[int, str, str, int, list[str]]
"""PID of a toy, its user, its terminal, "" without one, when it came in seconds, and its command, [] for a shell."""

UP, COMING_UP = "up", "coming up"
"""How far a machine is when its keeper says who is in."""


def written(rows: Iterable[Row]) -> bytes:
    """Return rows as `read` takes them."""
    fields = (
        field
        for pid, user, terminal, since, command in rows
        for field in (f"{pid}", user, terminal, f"{since}", f"{len(command)}", *command)
    )
    return b"".join(os.fsencode(field) + b"\0" for field in fields)


def file_of(rows: Iterable[Row]) -> int:
    """Return a descriptor of a file in memory with rows. It has room for all, and nobody has to wait for its reader."""
    fd = os.memfd_create("who")
    try:
        os.write(fd, written(rows))
    except OSError:
        os.close(fd)
        raise
    return fd


def read(data: bytes) -> list[Row]:
    """Return the rows that `written` made. Raises ValueError for anything else: a keeper may be another toy's."""
    fields = os.fsdecode(data).split("\0")
    rows: list[Row] = []
    while len(fields) > 5:
        pid, user, terminal, since, count = fields[:5]
        end = 5 + int(count)
        if not 5 <= end < len(fields):
            break
        rows.append((int(pid), user, terminal, int(since), fields[5:end]))
        fields = fields[end:]
    if fields != [""]:
        raise ValueError("what a keeper wrote of who is in is cut off")
    return rows
