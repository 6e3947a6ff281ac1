# SPDX-License-Identifier: GPL-2.0-or-later
"""Remembers which files of the overlay's packages were installed behind links that no package of the host's owns.

Should the host have a directory in the place of such a link, nothing else says where it led: see `moved`.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..database.reader import Reader
from ..errors import ToyError
from ..headers.headerset import HeaderSet
from ..headers.package import folders
from ..machine import Machine
from ..overlay.upper_files import Trees
from ..overlay.view import UpperView
from . import host_set, moved


def remember(machine: Machine, headers: HeaderSet, reader: Reader) -> None:
    """Add such files to the record `Machine.moved`; `headers` is the upper's header set.

    Nothing is added if a header cannot be read: the next launch reports it.
    """
    record = moved.read(Path(machine.moved))
    paths = {link: dict(known) for link, known in record.paths.items()}
    with contextlib.suppress(ToyError):
        found = [each for each in _behind_links(machine, headers, reader) if each[1] not in paths.get(each[0], {})]
        if found:
            with host_set.open_database(machine) as database:
                owned = {link for link in {link for link, _, _ in found} if database.is_owned(link)}
            for link, path, now in found:
                if link not in owned:
                    paths.setdefault(link, {})[path] = now
    if paths != record.paths:
        moved.write(Path(machine.moved), record._replace(paths=paths))


def _behind_links(machine: Machine, headers: HeaderSet, reader: Reader) -> Iterator[tuple[str, str, str]]:
    """Yield link, path and place of each file of the overlay's packages that the first link on its path leads to."""
    trees = Trees.of(machine)
    tree = UpperView(trees)
    for header_file in sorted(headers.list().files):
        for file in reader.package(headers.read_blob(header_file)).files:
            lead = os.path.join(tree.lead(os.path.dirname(file.path)), os.path.basename(file.path))
            if lead != file.path and tree.has(lead):
                links = [folder for folder in folders(file.path) if os.path.islink(f"{trees.lower}{folder}")]
                if links:
                    yield links[-1], file.path, lead
