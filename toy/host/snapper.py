# SPDX-License-Identifier: GPL-2.0-or-later
"""The snapshots of the root as snapper(8) keeps them: their numbers, and whether an update is at work on one.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

SNAPSHOTS = "/.snapshots"
"""Where they are: NUMBER/snapshot, and NUMBER/info.xml about it (snapper, snapper/Snapshot.cc)."""

_IN_PROGRESS = "transactional-update-in-progress"
"""Key of snapper's userdata (transactional-update, lib/Snapshot/Snapper.cpp)."""


def root(number: int) -> str:
    """Return the root directory of a snapshot."""
    return f"{SNAPSHOTS}/{number}/snapshot"


def number_of(subvolume: str) -> int | None:
    """Return the number of the snapshot at a path in the file system, or None if no snapshot has that path."""
    _, is_below, path = subvolume.rpartition(f"{SNAPSHOTS}/")
    number, _, name = path.partition("/")
    return int(number) if is_below and number.isdecimal() and name == "snapshot" else None


def is_in_progress(number: int) -> bool:
    """Say whether an update is still at work on a snapshot."""
    import xml.etree.ElementTree as ElementTree

    try:
        info = ElementTree.parse(f"{SNAPSHOTS}/{number}/info.xml")  # noqa: S314, snapper's own
    except (OSError, ElementTree.ParseError):
        return False
    return any(
        data.findtext("key") == _IN_PROGRESS and data.findtext("value") == "yes" for data in info.iter("userdata")
    )
