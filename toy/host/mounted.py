# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists what the host has mounted below its root, and which of that shows in an overlay.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import os

from ..filesystem.fields import unescaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ELSEWHERE = frozenset({"dev", "proc", "root", "run", "sys", "tmp"})
"""Directories in the root that show in no overlay, whatever a package may own in them."""

_OWN = (*(f"/{name}" for name in ELSEWHERE), "/var")

_NO_DISK = ("fuse", "fuseblk", "ramfs", "tmpfs")
"""Types of file systems that are on no disk, whatever their source says: with FUSE, any user chooses that."""


class Mounted:
    """The mount points below the root, ascending: those that show in an overlay, and those that do not."""

    def __init__(self, *, without: str) -> None:
        """Read the mounts. Left out is what is at or below `without`, or where a machine has a directory of its own."""
        self.shown: list[tuple[str, str]] = []
        """Mount points that show in an overlay, with the types of their file systems.

        Those file systems are on block devices, or overlays themselves (/etc was one in MicroOS): a network or a
        process that does not answer would make a launch wait.
        """
        self.hidden: list[str] = []
        """Mount points that do not show; what is mounted below one does not show either, and is not listed."""
        within = {"/": True}
        for point, source, kind in sorted(visible()):
            around = point
            while (around := os.path.dirname(around)) not in within:
                pass
            is_own = is_in(point, (*_OWN, without))
            within[point] = within[around] and not is_own and is_local(source, kind) and os.path.isdir(point)
            if within[point]:
                self.shown.append((point, kind))
            elif within[around] and not is_own:
                self.hidden.append(point)


def is_in(path: str, directories: Iterable[str]) -> bool:
    """Say whether a path is one of these directories or below one, judged by the text of the paths."""
    return any(f"{path}/".startswith(f"{directory}/") for directory in directories)


def is_local(source: str, kind: str) -> bool:
    """Say whether a file system is on a disk, or an overlay; a source //... is a server's (cifs)."""
    is_path = source.startswith("/") and not source.startswith("//")
    return kind == "overlay" or (is_path and kind.partition(".")[0] not in _NO_DISK)


def table(process: int | str = "self") -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield mount number, parent's number, root in the file system, mount point, type and source of each mount.

    They are those that a process sees.

    See proc_pid_mountinfo(5). Users can mount as well, as much as they like: names may hold anything.
    """
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            number, parent, _, root, point, *_ = before.split(" ")
            kind, source, *_ = after.split(" ")
            yield number, parent, unescaped(root), unescaped(point), kind, source


def visible() -> Iterable[tuple[str, str, str]]:
    """Yield mount point, source and type of each mount below the root that no later mount hides."""
    mounts: dict[str, tuple[str, str, str, str]] = {}
    covered: dict[str, set[str]] = {}
    for number, parent, _, point, kind, source in table():
        mounts[number] = parent, point, source, kind
        covered.setdefault(parent, set()).add(point)
    visible: dict[str, bool] = {}
    for number, (_, point, source, kind) in mounts.items():
        if point != "/" and point not in covered.get(number, ()) and _is_visible(number, mounts, covered, visible):
            yield point, source, kind


def _is_visible(
    number: str,
    mounts: dict[str, tuple[str, str, str, str]],
    covered: dict[str, set[str]],
    visible: dict[str, bool],
) -> bool:
    """Say whether no later mount hides this one; `visible` holds the answers that are known, by mount number."""
    around = []
    while number in mounts and number not in visible:
        around.append(number)
        number = mounts[number][0]
    is_visible = visible.get(number, True)
    for number in reversed(around):
        parent, above, _, _ = mounts[number]
        while is_visible and (above := os.path.dirname(above)) != "/":
            is_visible = above not in covered[parent]
        visible[number] = is_visible
    return is_visible
