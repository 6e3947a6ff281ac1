# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations on the files of an upper, as values: they make the files follow the packages. `apply` carries them out."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..headers.package import Package, PackageFile


class Operations(NamedTuple):
    """Operations that make the files of an upper follow its header set, in the order of the fields; safe to repeat."""

    remove: list[PackageFile]
    """Files to remove if they are as their package installed them; directories, if empty.

    They are retired packages', or copies of the host's files, of which the host has others now, or none.
    """
    uncover: list[str]
    """Whiteouts to turn into opaque directories: only paths in `show` reappear there."""
    show: list[str]
    """Paths of the lower to make visible: no package is the reason to hide them any more, or they are new there."""
    merge: list[str]
    """Directories of the overlay's own packages, to make not opaque, lest they hide what the host puts into them."""
    clear: list[str]
    """Paths where the host has a file or a link, and the upper a directory: that goes if no file is below it."""
    follow: list[str]
    """Directories to give the owner, mode and other attributes of the lower's."""
    hide: list[str]
    """Paths that only hidden packages of the host own, to put whiteouts over."""
    sweep: bool
    """Whether to remove whiteouts that hide nothing: some are left by removed packages whose headers nobody has now."""
    drop: list[str]
    """Generated files that the lower has as well: the upper's are removed, to be generated anew."""


def operations(
    *,
    retired: Iterable[Package],
    kept: Iterable[Package],
    freed: Iterable[str],
    uncover: Iterable[str],
    hidden: Iterable[Package],
    arrived: Iterable[PackageFile],
    follow: Iterable[str],
    is_visible: Callable[[str], bool],
    is_other_kind: Callable[[str], bool],
    sweep: bool,
    drop: Iterable[str],
) -> Operations:
    """Plan the operations on the files of an upper.

    `retired` are the overlay's own packages that give way to the host's, `kept` those that stay. `freed` are paths that
    there is no reason to hide any more, `uncover` whiteouts above such paths. `hidden` are the host's packages that the
    overlay hides from now on, `arrived` the files of those that become visible. `follow` are directories that only the
    host changed. `is_visible` says whether a package of the host that is not hidden owns a path, `is_other_kind`
    whether one of upper and lower has a directory there, and the other something else.
    """
    retired, kept = list(retired), list(kept)
    ours = {file.path for package in kept for file in package.files}
    brought = {file.path for package in kept for file in package.files if not file.is_ghost}
    hide = {file.path for package in hidden for file in package.files} - ours
    hide = {path for path in hide if not is_visible(path)}
    free = {file.path for package in retired for file in package.files} | set(freed)
    return Operations(
        remove=[
            file
            for package in retired
            for file in package.files
            if file.path not in (ours if file.is_ghost else brought)
        ],
        uncover=sorted(uncover),
        show=sorted(free - ours - hide),
        merge=sorted({file.path for package in kept for file in package.files if file.is_directory}),
        clear=sorted(
            file.path
            for file in arrived
            if not file.is_directory and file.path not in ours and is_other_kind(file.path)
        ),
        follow=sorted(follow),
        hide=sorted(hide),
        sweep=sweep,
        drop=sorted(drop),
    )
