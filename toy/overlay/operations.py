# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations on the files of an upper, as values: they make the files follow the packages. `apply` carries them out."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..headers.package import Package, PackageFile


class Operations(NamedTuple):
    """What makes the files of an upper follow its headers, in this order. All are safe to repeat."""

    remove: list[PackageFile]
    """Files of retired packages: to go if they are still what the package installed; directories if empty."""
    uncover: list[str]
    """Directories that somebody removed, of which nothing but paths in `show` is to be seen again."""
    show: list[str]
    """Paths that no package is the reason to hide any more, and new ones."""
    merge: list[str]
    """Directories of the overlay's own packages: made anew there, they would hide what the host puts into them."""
    clear: list[str]
    """Paths of the host's files and links: a directory there goes if it holds nothing, that is whiteouts at most."""
    follow: list[str]
    """Directories that get owner and mode of the lower's."""
    hide: list[str]
    """Paths that only hidden packages of the host own."""
    sweep: bool
    """Whether whiteouts that hide nothing go: the overlay removed packages whose headers nobody has any more."""
    drop: list[str]
    """Files that the lower has as well, and that are made anew."""


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
    sweep: bool = False,
    drop: Iterable[str] = (),
) -> Operations:
    """Plan the operations on files.

    `kept` are the overlay's own packages that stay; `freed` are paths that nothing is the reason to hide any more, and
    `uncover` directories that such are in; `hidden` are the host's packages that the overlay hides from now on,
    `arrived` the files of those that come to be seen; `follow` are directories that nobody but the host changed.
    `is_visible` says whether a package of the host that is not hidden owns a path, `is_other_kind` whether one of upper
    and lower has a directory there and the other one something else.
    """
    retired, kept = list(retired), list(kept)
    ours = {file.path for package in kept for file in package.files}
    hide = {file.path for package in hidden for file in package.files} - ours
    hide = {path for path in hide if not is_visible(path)}
    free = {file.path for package in retired for file in package.files} | set(freed)
    return Operations(
        remove=[file for package in retired for file in package.files if file.path not in ours],
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
