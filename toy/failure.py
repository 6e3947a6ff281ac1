# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns an OSError into one line for the user: what could not be done, on which path, and the command to type."""

import errno
import os
from pathlib import Path

from . import debug
from .errors import ToyError, moved_away, quoted, typed
from .filesystem import room
from .machine import HEADERS, MACHINES, RUN, STATE
from .streams import say

_IN_THE_WAY = (errno.EEXIST, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENOTEMPTY)
"""Errors that mean that something of the wrong kind is at a path. EINVAL comes from `files.read`."""


def report(error: Exception) -> None:
    """Print an error in one line, after its traceback if TOY_DEBUG=1 is set, or if the error is a bug of toy's."""
    if isinstance(error, ToyError | OSError):
        if debug.is_on():
            debug.trace(error)
        say(str(explained(error)))
    else:
        debug.trace(error)
        say(f"{type(error).__name__}, a bug of toy's; report it, with what this prints: TOY_DEBUG=1 {typed()}")


def explained(error: ToyError | OSError) -> ToyError:
    """Return an error as a ToyError; for an OSError, add the next step, and what an `errors.Attempt` noted on it."""
    if isinstance(error, ToyError):
        return error
    path = _path(error)
    attempt = "".join(f" (cannot {what})" for what in getattr(error, "__notes__", ()))
    said = error.strerror or (str(error.args[0]) if error.args else type(error).__name__)
    what = f"{path}: {said}{_place(error.errno, path)}" if path else said
    return ToyError(f"{what}{attempt}", _next_step(error.errno, path))


def _path(error: OSError) -> str:
    """Return the path that an error names, or "" if it names nothing, or a descriptor, which is of no use by now."""
    # Of two, the second one is the one to be made, and what is wrong with a file system is so where that would be.
    names = [error.filename2, error.filename] if error.errno in room.TROUBLE else [error.filename]
    paths = [os.fsdecode(name) for name in names if isinstance(name, str | bytes | os.PathLike)]
    return next((path for path in paths if path.startswith("/")), paths[-1] if paths else "")


def _place(number: int | None, path: str) -> str:
    """Return which file system a path is on, for an error that is the file system's."""
    found = room.file_system(path) if number in room.TROUBLE and path.startswith("/") else None
    return f" in {found}" if found else ""


def _next_step(number: int | None, path: str) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):  # of bytes or of files
        return f"see what is full: df --output=avail,iavail,target {_there(path)}".rstrip()
    if number in (errno.EMFILE, errno.ENFILE):
        return "raise the limit of open files, then run toy again: ulimit -n 1024"
    if number == errno.ENOSYS:
        return "see how old this kernel is: uname -r"
    if not path.startswith("/"):
        return f"to see where: TOY_DEBUG=1 {typed()}"
    if number in (errno.EIO, errno.ESTALE, errno.EUCLEAN):
        return "the kernel's log says why: dmesg | tail"
    if number in _IN_THE_WAY:
        return _out_of_the_way(_obstacle(path))
    if number == errno.ENOENT:
        return f"see what there is: ls -la {_there(os.path.dirname(path))}"
    if number in (errno.EROFS, errno.ENOTSUP):
        return f"see how it is mounted: findmnt --target {_there(path)}"
    if number == errno.EPERM:
        return f"see what is immutable: lsattr -d {_there(os.path.dirname(path))} {_there(path)}"
    return f"see its owner, mode and label: ls -ldZ {_there(path)}"


def _there(path: str) -> str:
    """Return the path or its nearest ancestor that exists, quoted for a shell; empty if none does."""
    while path and not os.path.lexists(path):
        path = os.path.dirname(path)
    return quoted(path) if path else ""


def _obstacle(path: str) -> str:
    """Return the outermost part of a path that exists and is no real directory, or else the whole path."""
    parts = [Path(path), *Path(path).parents]
    found = (part for part in reversed(parts) if part.is_symlink() or (part.exists() and not part.is_dir()))
    return os.fspath(next(found, path))


def _out_of_the_way(path: str) -> str:
    is_ours = f"{path}/".startswith((f"{STATE}/", f"{RUN}/", f"{MACHINES}/")) or HEADERS in path
    # A header file goes out of its set, which may hold nothing but header files.
    return moved_away(path, out_of_set=path.endswith(".hdr")) if is_ours else f"see what it is: ls -ld {quoted(path)}"
