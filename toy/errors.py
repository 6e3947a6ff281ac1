# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that the user or the machine caused: what is wrong, where, and the next step.

Any module may raise these; `cli` prints the one that ends toy, and exits. `failure` turns an OSError into one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # every launch imports this module, and few want a Path
    from pathlib import Path

EXIT_FAILURE = 125
"""toy itself failed. As in env(1) and podman-run(1), 126 and 127 belong to the command."""


class ToyError(Exception):
    """Something the user or the machine caused: one line saying what and where, and the next step."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}; {next_step}")
        self.what = what
        self.next_step = next_step


class DamagedHeader(ToyError):
    """A header file that cannot be read, or whose content is not the header that its name identifies."""

    def __init__(self, path: Path, why: str, next_step: str | None = None) -> None:
        # For the user only if nobody caught this and wrote the file anew from a database that still has the header.
        again = "move it away, then install its package again, since no database has this header any more"
        super().__init__(
            f"damaged header file {path}: {why}", next_step or f"{again}: {_moving(path, out_of_set=True)}"
        )
        self.file = path.name


class UnusableDatabase(ToyError):
    """An rpm database that is missing, or cannot be used: unreadable, being written to, or with impossible content."""


class Attempt:
    """A context that adds to an OSError what toy was doing when it was raised. Of nested ones, the innermost counts.

    `what` completes a phrase that begins with "cannot", see `failure`.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and not hasattr(error, "__notes__"):
            error.add_note(self._what)


def moved_away(path: str | Path, *, out_of_set: bool = False) -> str:
    """Return the next step for a path that is in the way: the mv command that renames it to NAME.away.

    That is in the same directory or, with `out_of_set`, beside it: a header set may hold nothing but header files.
    An earlier NAME.away is kept as a backup, and nobody gets to see what they could not see before.
    """
    return f"move it away: {_moving(path, out_of_set=out_of_set)}"


def _moving(path: str | Path, *, out_of_set: bool) -> str:
    folder, _, name = str(path).rpartition("/")
    aside = f"{folder}.{name}" if out_of_set else path
    return f"mv --backup=numbered -T {quoted(path)} {quoted(f'{aside}.away')}"


def made_anew(database: str, *, also: str = "") -> str:
    """Return the next step for a machine's database that is unusable: the next launch makes one if it is moved away.

    `also` is put before the command.
    """
    return f"have it made anew from the header set{also}: mv {quoted(database)} {quoted(f'{database}.damaged')}"


def quoted(path: str | Path) -> str:
    """Return a path, quoted for a shell."""
    import shlex

    return shlex.quote(str(path))


def typed() -> str:
    """Return the command line that the user typed, quoted for a shell."""
    import shlex
    import sys

    return shlex.join(["toy", *sys.argv[1:]])


def printable(text: str) -> str:
    """Return text for a terminal or a log, unprintable characters escaped: a path in an overlay may hold any."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
