# SPDX-License-Identifier: GPL-2.0-or-later
"""Remembers which files of the overlay moved since the host had a link in the place of their directory.

Should the host have a directory there again, as after a rollback, they move back: of a file that no package owns,
nothing else says where it was.
"""

from collections.abc import Mapping
from pathlib import Path

from ..filesystem import records
from ..headers.package import is_plain

Moved = Mapping[str, Mapping[str, str]]
"""By the path of a link, by the path that each file or directory had there: the path that it has now."""


def read(path: Path) -> Moved:
    """Return what is stored in a record; nothing if that cannot be read. Raises ToyError for a later one."""
    stored = records.read(path)
    try:
        found = {link: dict(paths) for link, paths in stored["moved"].items()}
        every = [part for link, paths in found.items() for part in (link, *paths, *paths.values())]
        return found if all(map(is_plain, every)) else {}
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}


def write(path: Path, moved: Moved) -> None:
    """Store a record, durably: it is all that is known of these files."""
    records.write(path, {"moved": moved}, durable=True)
