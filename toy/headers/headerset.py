# SPDX-License-Identifier: GPL-2.0-or-later
"""The header set of a root: a directory with one file for each installed package, and its stamp.

Whoever reads a header file compares it with the digest in its name, and it can be written anew from the database that
it came from. So it is fsynced only if no database has it.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, cast

from ..errors import DamagedHeader, ToyError, moved_away, quoted
from ..filesystem import files, whiteout
from ..filesystem.lock import Locked
from ..machine import HEADERS, STATE
from . import header
from .changes import UpperSet
from .header import HeaderFile
from .stamp import Stamp

DIRECTORY = PurePath(HEADERS)
"""Path of a header set, relative to the root. %_toy_headersdir of rpm-macros/macros.toy is the same."""

STAMP = ".stamp"
LOCK = ".lock"

_LONGEST = 64 << 20
"""Most bytes of a header file or a stamp: a package with 100,000 files has 20 MiB; an overlay may bring anything."""


_MOST_NAMED = 20
"""Most entries that are named for being no header files: an overlay may have any number."""


class Listing(NamedTuple):
    """The names in a set's directory: header files, whiteouts of such, and what is neither."""

    files: frozenset[HeaderFile]
    whiteouts: frozenset[HeaderFile]
    foreign: frozenset[str]
    """They are ignored, and named by `toy status` and `toy dump`."""

    def upper_set(self) -> UpperSet:
        """Return the header files and whiteouts, if this is the set of an upper."""
        return UpperSet(self.files, self.whiteouts)


class HeaderSet:
    """An open header set."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        """The descriptor of its directory."""

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, root: Path, below: PurePath = DIRECTORY, *, create: bool = False, like: Path | None = None
    ) -> Iterator["HeaderSet"]:
        """Open a set without a lock: one of a locked machine, or one that is only read.

        `root` is trusted; for `create` and `like` see `files.directory`. Raises FileNotFoundError if there is none,
        NotADirectory if something else is in its place, other OSErrors if it cannot be made.
        """
        with files.directory(root, below, create=create, like=like) as fd:
            yield cls(root / below, fd)

    @classmethod
    @contextlib.contextmanager
    def open_of_root(cls, root: Path, *, create: bool = False) -> Iterator["HeaderSet"]:
        """Open and lock the set of a root that rpm may be at work in. Raises as `open` does.

        What is locked is LOCK, a directory in the set that only root can open; others can open the set itself, and so
        could lock that. A set without LOCK is not locked: with `create`, only one on a read-only file system.
        """
        with cls.open(root, create=create) as headers, contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):
                if create:
                    headers.make_lock()
                stack.enter_context(Locked(stack.enter_context(files.opened(headers.fd, LOCK))))
            yield headers

    def make_lock(self) -> None:
        """Make the directory LOCK, unless there is one or the file system is read-only."""
        try:
            os.mkdir(LOCK, 0o700, dir_fd=self.fd)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno != errno.EROFS:
                raise

    @classmethod
    @contextlib.contextmanager
    def open_upper(cls, upper: Path, lower: Path) -> Iterator["HeaderSet"]:
        """Open the set of an overlay's upper that is not mounted; make it if need be."""
        with files.directory(upper, DIRECTORY.parent, create=True, like=lower) as parent:
            with contextlib.suppress(FileNotFoundError):
                if whiteout.is_whiteout(os.stat(DIRECTORY.name, dir_fd=parent, follow_symlinks=False)):
                    os.unlink(DIRECTORY.name, dir_fd=parent)  # somebody in the overlay removed the whole set
        with cls.open(upper, create=True, like=lower) as headers:
            yield headers

    def _named(self, file: HeaderFile) -> HeaderFile:
        """Return `file`. Raises ToyError if it is no name of a header file: records that name files may be damaged."""
        if not header.is_file_name(file):
            import json  # that takes 1.2 ms, of 34 that a dump takes to begin

            raise ToyError(
                f"a record of toy's names a header file {file!r} in {self.path}, and no header file has such a name",
                f"see which record: grep -lsF -e {quoted(json.dumps(file)[1:-1])} {STATE}/*/*",
            )
        return file

    def list(self) -> Listing:
        """List the directory, without reading a file."""
        ours, whiteouts, foreign = set(), set(), set()
        with files.scan(self.fd) as entries:
            for entry in entries:
                if entry.name in (STAMP, LOCK, files.TEMPORARY):
                    continue
                if not header.is_file_name(entry.name):
                    if not whiteout.is_whiteout(entry.stat(follow_symlinks=False)):
                        foreign.add(entry.name)
                elif not entry.is_file(follow_symlinks=False) and whiteout.is_whiteout(
                    entry.stat(follow_symlinks=False)
                ):
                    whiteouts.add(entry.name)
                else:
                    ours.add(sys.intern(entry.name))  # if it is not a regular file, read() says so
        # For mypy, what is interned is any str again.
        return Listing(cast("frozenset[HeaderFile]", frozenset(ours)), frozenset(whiteouts), frozenset(foreign))

    def foreign(self) -> Sequence[str]:
        """Return a line for each entry that is no header file, and so is ignored, with what to do; of many, some."""
        paths = [self.path / name for name in sorted(self.list().foreign)]
        lines = [f"{path} is not a header file, and is ignored; {moved_away(path, out_of_set=True)}" for path in paths]
        more = len(lines) - _MOST_NAMED
        return lines if more <= 0 else [*lines[:_MOST_NAMED], f"and {more} more; see: ls -A {quoted(self.path)}"]

    def has(self, file: HeaderFile) -> bool:
        """Say whether there is a file of this name."""
        return os.path.lexists(self.path / self._named(file))

    def size(self, file: HeaderFile) -> int:
        """Return how many bytes a header file has, 0 if `read` will raise."""
        try:
            size = os.stat(self._named(file), dir_fd=self.fd, follow_symlinks=False).st_size
        except OSError:
            return 0
        return size if size <= _LONGEST else 0

    def read(self, file: HeaderFile) -> bytes:
        """Return a file's content, magic and blob. Raises DamagedHeader if unreadable, or not what its name says."""
        try:
            content = files.read(self.fd, self._named(file), longest=_LONGEST)
        except OSError as error:
            raise DamagedHeader(self.path / file, error.strerror or str(error)) from None
        problem = header.problem(file, content)
        if problem is not None:
            raise DamagedHeader(self.path / file, problem)
        return content

    def is_whole(self, file: HeaderFile) -> bool:
        """Say whether a file can be read, and is what its name says."""
        try:
            self.read(file)
        except DamagedHeader:
            return False
        return True

    def read_blob(self, file: HeaderFile) -> bytes:
        """Return the blob of a header file. Raises DamagedHeader."""
        return self.read(file)[len(header.MAGIC) :]

    def write(self, file: HeaderFile, blob: bytes, *, durable: bool = False) -> None:
        """Write a header file, in the place of any file or whiteout of its name; `durable` is as in `files.write`."""
        with files.naming(self.path / file):
            files.write(self.fd, self._named(file), header.MAGIC + blob, durable=durable)

    def remove(self, file: HeaderFile) -> None:
        """Remove a header file or a whiteout."""
        with files.naming(self.path / file):
            os.unlink(self._named(file), dir_fd=self.fd)

    def hide(self, file: HeaderFile) -> None:
        """Hide a file of the lower layer: put a whiteout in its place. For the set of an upper that is not mounted."""
        with files.naming(self.path / file):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._named(file), dir_fd=self.fd)
            whiteout.make(self.fd, self._named(file))

    def is_opaque(self) -> bool:
        """Say whether the directory, in an upper, is opaque: whether it hides the lower's set."""
        return whiteout.is_opaque(self.fd)

    def set_opaque(self, opaque: bool) -> None:
        """Make the directory, in an upper, opaque, or no longer opaque."""
        whiteout.set_opaque(self.fd, opaque)

    def read_stamp(self) -> Stamp | None:
        """Return the stamp, or None if there is none that can be read."""
        try:
            return Stamp.from_bytes(files.read(self.fd, STAMP, longest=_LONGEST))
        except (OSError, ValueError):
            return None

    def write_stamp(self, stamp: Stamp) -> None:
        """Write the stamp, unless the set has the same one already."""
        if stamp != self.read_stamp():
            with files.naming(self.path / STAMP):
                files.write(self.fd, STAMP, stamp.to_bytes())

    def remove_stamp(self) -> None:
        """Remove the stamp, so that the next dump looks at everything."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(STAMP, dir_fd=self.fd)
