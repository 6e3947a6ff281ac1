# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds conflicts: paths at which packages of the host and of the overlay have different files. The overlay's shows."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..headers import header
from ..headers.header import HeaderFile
from ..headers.package import Package, PackageFile, folders


class Conflict(NamedTuple):
    """The overlay's package that has a file in the place of a file of the host's."""

    owner: Package
    state: int
    """The state of the host's file in the stand-in: `header.REPLACED` or `header.NOT_INSTALLED`."""


def find_conflicts(
    kept: Iterable[Package],
    others: Mapping[HeaderFile, Package],
    is_other_kind: Callable[[str], bool],
    lead: Callable[[str], str],
) -> dict[HeaderFile, dict[str, Conflict]]:
    """Return the conflicts of the host's packages `others` with the overlay's own packages `kept`.

    The result maps a header file in `others` to paths of its package, and each path to the conflict there.
    `is_other_kind` says whether one of upper and lower has a directory at a path, and the other something else. `lead`
    says where a directory's path leads: two packages may call one directory /usr/sbin and /usr/bin.
    """
    leads: dict[str, str] = {}

    def there(file: PackageFile) -> PackageFile:
        folder = os.path.dirname(file.path)
        if folder not in leads:
            leads[folder] = lead(folder)
        is_here = leads[folder] == folder
        return file if is_here else file._replace(path=os.path.join(leads[folder], os.path.basename(file.path)))

    ours: dict[str, tuple[PackageFile, Package]] = {}
    above: dict[str, Package] = {}
    for package in kept:
        for file in map(there, package.files):
            if file.is_directory or not file.is_ghost:
                ours[file.path] = file, package
                for folder in folders(file.path):
                    if folder in above:
                        break  # and so are the directories that it lies in
                    above[folder] = package
    blocked: dict[str, bool] = {}  # whether a directory, or one that it lies in, is a file of ours
    found: dict[HeaderFile, dict[str, Conflict]] = {}
    for header_file, package in others.items():
        for literal in package.files:
            file = there(literal)
            folder = os.path.dirname(file.path)
            if folder not in blocked:
                blocked[folder] = any(
                    part in ours and not ours[part][0].is_directory for part in (folder, *folders(folder))
                )
            if file.path not in ours and file.path not in above and not blocked[folder]:
                continue
            conflict = _at(file, ours, above, is_other_kind)
            if conflict is not None:
                found.setdefault(header_file, {})[literal.path] = conflict
    return found


def _at(
    file: PackageFile,
    ours: Mapping[str, tuple[PackageFile, Package]],
    above: Mapping[str, Package],
    is_other_kind: Callable[[str], bool],
) -> Conflict | None:
    if file.is_ghost and not file.is_directory:
        return None
    if file.path in ours:
        our, package = ours[file.path]
        # The host's may be a link to a directory: that is as good, if it shows.
        both_directories = our.is_directory and (file.is_directory or (file.target and not is_other_kind(file.path)))
        return None if both_directories or our.is_same(file) else Conflict(package, header.REPLACED)
    if not file.is_directory and file.path in above and is_other_kind(file.path):
        return Conflict(above[file.path], header.REPLACED)
    for folder in folders(file.path):
        if folder in ours and not ours[folder][0].is_directory and is_other_kind(folder):
            return Conflict(ours[folder][1], header.NOT_INSTALLED)
    return None
