# SPDX-License-Identifier: GPL-2.0-or-later
"""Remembers which files of the overlay moved since the host had a link in the place of their directory.

Should the host have a directory there again, as after a rollback, they move back: of a file that no package owns,
nothing else says where it was.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..filesystem import records
from ..headers.package import is_plain

Paths = Mapping[str, Mapping[str, str]]
"""By the path of a link of the host's, by path: another one, or text."""


class Moved(NamedTuple):
    """What moved since the host has links, those that it had first to begin with."""

    paths: Paths
    """By the path that each file or directory had, the path that it got then; it may have moved on since."""
    links: Paths
    """By the paths that they had, the targets of the overlay's own links that went: they led to what moved there."""
    copies: Paths
    """By the paths that they had, those of equal files that were there already: one of both went."""


NOTHING = Moved({}, {}, {})

_NAMES = ("moved", "links", "copies")
"""The names of the fields in a record."""


def read(path: Path) -> Moved:
    """Return what is stored in a record; nothing if that cannot be read. Raises ToyError for a later one."""
    stored = records.read(path)
    try:
        moved = Moved(*(_plain(stored.get(name, {})) for name in _NAMES))
        every = [
            part
            for each in (moved.paths, moved.copies)
            for link, found in each.items()
            for part in (link, *found, *found.values())
        ]
        every += moved.links
        links = moved.links.values()
        every += [each for found in links for path, text in found.items() for each in (path, _led(path, text))]
        if all(map(is_plain, every)):
            return moved
    except (AttributeError, LookupError, TypeError, ValueError):
        pass
    return NOTHING


def write(path: Path, moved: Moved) -> None:
    """Store a record, durably: it is all that is known of these files."""
    records.write(path, dict(zip(_NAMES, moved, strict=True)), durable=True)


def _led(link: str, text: str) -> str:
    """Return the path that a link leads to, by its text; with one slash, of which a link may have more."""
    return os.path.join("/", os.path.normpath(os.path.join(os.path.dirname(link), text)).lstrip("/"))


def _plain(stored: Paths) -> Paths:
    """Return stored paths. Raises TypeError and the like for anything else."""
    return {link: {path: records.text(text) for path, text in paths.items()} for link, paths in stored.items()}
