# SPDX-License-Identifier: GPL-2.0-or-later
"""Remembers which files of the overlay's packages were installed behind links that no package of the host's owns.

Should the host have a directory in the place of such a link, nothing else says where it led: see `moved`.
"""

import contextlib
import os
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..database.reader import Reader
from ..errors import ToyError
from ..headers import contents
from ..headers.contents import Content
from ..headers.header import HeaderFile
from ..headers.package import folders
from ..machine import Machine
from ..overlay.upper_files import Trees
from ..overlay.view import UpperView
from . import host_set, moved
from .merged_database import open_database


def remember(machine: Machine, database: Content, own: AbstractSet[HeaderFile], reader: Reader) -> None:
    """Add such files to the record `Machine.moved`; `own` are the overlay's header files.

    Nothing is added if a database cannot be read: the next launch reports it.
    """
    if not own:
        return
    tree = UpperView(Trees.of(machine))
    with contextlib.suppress(ToyError), open_database(machine, reader) as opened:
        numbers = contents.numbers_of(opened, own & database.files, among=database.files)
        # Few directories, if any, lie behind a link: the files of most packages need not be read.
        links = {
            folder: link for folder in opened.outline(numbers).folders if (link := _link(tree, folder)) is not None
        }
        if links:
            with host_set.open_database(machine) as of_host:
                owned = {link for link in {*links.values()} if of_host.is_owned(link)}
            links = {folder: link for folder, link in links.items() if link not in owned}
        if links:
            _add(Path(machine.moved), tree, links, [file.path for file in opened.files_in(numbers, links.keys())])


def _link(tree: UpperView, folder: str) -> str | None:
    """Return the path of the first link on the way to a directory, or None if the overlay has it at its own path."""
    if tree.lead(folder) == folder:
        return None
    way = reversed([folder, *folders(folder)])
    return next((part for part in way if tree.is_link(part)), None)


def _add(record: Path, tree: UpperView, links: dict[str, str], paths: list[str]) -> None:
    known = moved.read(record)
    every = {link: dict(known) for link, known in known.paths.items()}
    for path in paths:
        folder, name = os.path.split(path)
        place = os.path.join(tree.lead(folder), name)
        if folder in links and tree.has(place):
            every.setdefault(links[folder], {}).setdefault(path, place)
    if every != known.paths:
        moved.write(record, known._replace(paths=every))
