# SPDX-License-Identifier: GPL-2.0-or-later
"""What a boot brings over into a new snapshot's /etc: changes made in the running one since the update began.

A snapshot that waits for its first boot has in /etc/etc.syncpoint a copy of its parent's /etc as it was then. The
rules are those of transactional-update from version 5 on (dracut/sync-etc-state.cpp): what changed on one side only is
brought over, and where both changed, the new snapshot's counts.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator

NAME = "etc.syncpoint"
_PARENT = "transactional-update.comparewith"
"""File with the number of the snapshot that changes come from (snapper/50-etc)."""


def parent(etc: str) -> int | None:
    """Return the number of the snapshot from which changes come at the next boot, or None if none do."""
    try:
        with open(f"{etc}/{NAME}/{_PARENT}") as file:
            number = file.read().strip()
    except OSError:
        return None
    return int(number) if number.isdecimal() else None


def bring_over(parent: str, *, to: str, syncpoint: str) -> None:
    """Bring what changed in the parent's /etc since the syncpoint over to the /etc `to`, if that did not change it."""
    come: list[str] = []
    gone: list[str] = []
    for path in sorted({*_below(parent), *_below(syncpoint)}):
        before, theirs, ours = (_description(f"{etc}/{path}") for etc in (syncpoint, parent, to))
        if theirs != before and ours == before:
            (gone if theirs is None else come).append(path)
    for path in reversed(gone):  # each directory after what is in it
        _remove(f"{to}/{path}")
    for path in come:
        if os.path.isdir(os.path.dirname(f"{to}/{path}")):  # else the new snapshot removed that directory
            _copy(f"{parent}/{path}", f"{to}/{path}")


def _below(etc: str) -> Iterator[str]:
    for folder, directories, names in os.walk(etc):
        if folder == etc and NAME in directories:
            directories.remove(NAME)
        yield from (os.path.relpath(os.path.join(folder, name), etc) for name in (*directories, *names))


def _description(path: str) -> tuple[object, ...] | None:
    """Return a value that differs if the file was changed, or None if there is no file."""
    try:
        status = os.lstat(path)
        names = os.listxattr(path, follow_symlinks=False)
        attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except (FileNotFoundError, NotADirectoryError):
        return None
    size = None if stat.S_ISDIR(status.st_mode) else status.st_size
    return status.st_mode, status.st_uid, status.st_gid, int(status.st_mtime), size, attributes


def _remove(path: str) -> None:
    """Remove a file, or a directory if it is empty."""
    try:
        os.rmdir(path)
    except NotADirectoryError:
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _copy(source: str, target: str) -> None:
    """Copy a regular file, a symbolic link, or a directory without what is in it, over what is there; nothing else."""
    status = os.lstat(source)
    if stat.S_ISDIR(status.st_mode):
        if not os.path.isdir(target) or os.path.islink(target):
            _replace(target)
            os.mkdir(target)
    elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        _replace(target)
        shutil.copyfile(source, target, follow_symlinks=False)
    else:
        return
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)


def _replace(target: str) -> None:
    """Remove whatever is in the place of a file that is to be made."""
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    elif os.path.lexists(target):
        os.unlink(target)
