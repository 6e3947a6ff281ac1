# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong, and what to do about it. Libraries raise; only `cli` prints and exits."""

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
            f"damaged header file {path}: {why}", "no database has it any more: move it away, install its package again"
        )
        self.file = path.name


def printable(text: str) -> str:
    """Return text as a terminal and a log can have it: a path in an overlay may hold control characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
