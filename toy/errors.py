# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that the user or the machine caused: what is wrong, where, and the next step.

Every other module raises these; only `cli` prints them and exits. `failure` finds words for an OSError.
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
    """A header file whose content is not what its name says."""

    def __init__(self, path: Path, why: str) -> None:
        # Who catches this knows whether a database still has the header; nobody did.
        super().__init__(
            f"damaged header file {path}: {why}",
            f"no database has it any more, install its package again; {moved_away(path, out_of_set=True)}",
        )
        self.file = path.name


class UnusableDatabase(ToyError):
    """A database that is there but cannot be read, or cannot be true."""


class Attempt:
    """What is being done, as a context: if an OSError comes out of it, that says so. The innermost one counts.

    `what` follows the word "cannot", see `failure`.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and not hasattr(error, "__notes__"):
            error.add_note(self._what)


def moved_away(path: str | Path, *, out_of_set: bool = False) -> str:
    """Return the next step for what is in the way: to the side, or to that of the header set that it is in.

    Nothing is lost, nor what was moved there before; and nobody comes to see what they could not.
    """
    folder, _, name = str(path).rpartition("/")
    aside = f"{folder}.{name}" if out_of_set else path
    return f"move it away: mv --backup=numbered -T {quoted(path)} {quoted(f'{aside}.away')}"


def quoted(path: str | Path) -> str:
    """Return a path as a shell wants it."""
    import shlex

    return shlex.quote(str(path))


def typed() -> str:
    """Return the command that the user typed, for a shell."""
    import shlex
    import sys

    return shlex.join(["toy", *sys.argv[1:]])


def printable(text: str) -> str:
    """Return text as a terminal and a log can have it: a path in an overlay may hold control characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
