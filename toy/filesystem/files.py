# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads, writes and removes files, safely for root in a tree that somebody else may have arranged.

A path is opened one component at a time, and no symbolic link is followed. A file gets its final name only when it is
written completely.
"""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from ..errors import ToyError, moved_away
from . import attributes, room, whiteout


class NotADirectory(ToyError):
    """A component of a path is something else than a directory, perhaps a symbolic link."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not a directory", moved_away(path))


_HERE = PurePath()

_LONGEST = 16 << 20
"""Most bytes of a file that is read as a whole; somebody may have made one that is larger than memory."""

TEMPORARY = ".toy-new"
"""Name of a file or directory until it is complete and renamed. One process at a time may use it, see `replacing`.

It may lie among files of the overlay's users.
"""

_UNFINISHED = 0o200
"""Mode of a file of that name until its content is complete: nobody gives it to a file of their own."""


@contextlib.contextmanager
def directory(root: Path, below: PurePath = _HERE, *, create: bool = False, like: Path | None = None) -> Iterator[int]:
    """Yield a descriptor of the directory `below` in the tree `root`.

    `root` is trusted; below it every component must be a real directory. With `create`, missing ones are made, with
    the attributes of their namesakes in the trusted tree `like`, or mode 0755. Raises FileNotFoundError if one is
    missing, and NotADirectory if one is something else. An OSError raised in the context gets the whole path.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = below.parts
    here = root
    try:
        for depth, name in enumerate(parts, 1):
            if name in ("..", below.anchor):
                raise NotADirectory(root / os.path.join(*parts[:depth]).lstrip("/"))  # they lead out of the tree
            if create:
                with contextlib.suppress(FileExistsError):
                    model = None if like is None else like.joinpath(*parts[:depth])
                    make_directory(fd, name, like=model if model is not None and model.is_dir() else None)
            try:
                child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                raise NotADirectory(root.joinpath(*parts[:depth])) from None
            os.close(fd)
            fd = child
            here = here / name
        yield fd
    except OSError as error:
        _name(error, here, is_folder=True)
        raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def scan(dir_fd: int) -> Iterator[Iterator["os.DirEntry[str]"]]:
    """Yield an iterator over the entries that a directory has now.

    It is opened once more for that: on btrfs, a descriptor shows no entry that was made after it was opened, or last
    rewound (linux, fs/btrfs/inode.c: btrfs_get_dir_last_index).
    """
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        with os.scandir(fd) as entries:
            yield entries
    finally:
        os.close(fd)


def read(dir_fd: int, name: str, *, longest: int = _LONGEST) -> bytes:
    """Return the content of a regular file.

    Raises OSError; EINVAL means that it is not a regular file, EFBIG that it has more bytes than `longest`.
    """
    with opened(dir_fd, name) as fd, open(fd, "rb", closefd=False) as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        if status.st_size > longest:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
        return file.read(status.st_size)


def content(root: Path, path: PurePath, *, longest: int = _LONGEST) -> bytes | None:
    """Return the content of a file in the tree `root`, see `directory`.

    It is None if the file is missing, has more bytes than `longest`, or is anything else than a regular file.
    """
    try:
        with directory(root, path.parent) as fd:
            return read(fd, path.name, longest=longest)
    except (FileNotFoundError, NotADirectory):
        return None
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP):
            raise OSError(error.errno, error.strerror, os.fspath(root / path)) from None
        return None


@contextlib.contextmanager
def replacing(dir_fd: int, name: str, *, whatever: bool = False, shared: bool = True) -> Iterator[None]:
    """Rename TEMPORARY, which is made in the context, to `name`; if an exception comes out of the context, remove it.

    An existing file `name` is replaced; with `whatever`, so is a directory, with all that is in it. The caller holds
    the lock of the directory, or nobody else may write there. `shared` says whether others have files there.
    """
    _make_room(dir_fd) if shared else remove(dir_fd, TEMPORARY)
    try:
        yield
        if whatever:
            remove(dir_fd, name)
        try:
            os.rename(TEMPORARY, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except OSError as error:
            error.filename = name  # a directory is there, say
            raise
    except BaseException:
        with contextlib.suppress(OSError):  # a ^C may come when the directory is closed already
            remove(dir_fd, TEMPORARY)
        raise


def _make_room(dir_fd: int) -> None:
    """Have nothing named TEMPORARY: what an interrupted toy left goes, anything else gets the name of `saved_name`."""
    try:
        status = os.stat(TEMPORARY, dir_fd=dir_fd, follow_symlinks=False)
        if status.st_mode == stat.S_IFREG | _UNFINISHED and status.st_uid == 0:
            os.unlink(TEMPORARY, dir_fd=dir_fd)
        else:
            os.rename(TEMPORARY, saved_name(dir_fd, TEMPORARY), src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except FileNotFoundError:
        pass
    except OSError as error:  # it is about this, and not about the file that is to be replaced
        error.filename = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), TEMPORARY)
        raise


def make_temporary(dir_fd: int) -> int:
    """Return a descriptor for writing to a new file TEMPORARY, which nobody else can read."""
    return os.open(TEMPORARY, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _UNFINISHED, dir_fd=dir_fd)


def write(dir_fd: int, name: str, content: bytes, *, durable: bool = False, shared: bool = False) -> None:
    """Write a file of mode 0644, as `replacing` does; with `durable`, it also survives a power failure."""
    with replacing(dir_fd, name, shared=shared), open(make_temporary(dir_fd), "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)  # whatever the umask
        if durable:
            os.fsync(file.fileno())
    if durable:
        os.fsync(dir_fd)


def rewrite(dir_fd: int, name: str, content: bytes) -> None:
    """Replace the content of a regular file, by rename; its owner, mode and extended attributes stay."""
    with replacing(dir_fd, name), open(make_temporary(dir_fd), "wb") as file, opened(dir_fd, name) as old:
        file.write(content)
        file.flush()
        attributes.copy(old, file.fileno())
        os.fsync(file.fileno())


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError that is raised in the context the whole path of the file that it is about."""
    try:
        yield
    except OSError as error:
        _name(error, path)
        raise


@contextlib.contextmanager
def within(folder: Path) -> Iterator[None]:
    """Give an OSError that is raised in the context the whole path of a file in a directory opened by descriptor."""
    try:
        yield
    except OSError as error:
        _name(error, folder, is_folder=True)
        raise


def _name(error: OSError, path: Path, *, is_folder: bool = False) -> None:
    """Put a whole path into an OSError that has none: `path`, or with `is_folder` the error's file name below it."""
    name = error.filename
    if not (isinstance(name, str) and name.startswith("/")):
        error.filename = os.fspath(path / name if is_folder and isinstance(name, str) else path)


@contextlib.contextmanager
def opened(dir_fd: int, name: str) -> Iterator[int]:
    """Yield a descriptor for reading a regular file or a directory.

    Raises OSError; EINVAL means that it is something else, which is not opened: opening a device can have effects.
    """
    mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "not a regular file", name)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def make_directory(dir_fd: int, name: str, *, like: Path | int | None = None, opaque: bool = False) -> None:
    """Make a directory of mode 0755, or with the attributes of `like`, where nobody else may write.

    `like` is a path, or an open directory. The new one, `opaque` if that is given with it, appears with all its
    attributes or not at all. Raises FileExistsError.
    """
    if like is None:  # without TEMPORARY: two processes may make the same one
        os.mkdir(name, 0o755, dir_fd=dir_fd)  # it has that mode at once: `cli` sets the umask
        with opened(dir_fd, name) as fd:
            os.fchmod(fd, 0o755)  # unless the directory around it has a default ACL
        return
    if exists(dir_fd, name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    remove(dir_fd, TEMPORARY)
    os.mkdir(TEMPORARY, 0o700, dir_fd=dir_fd)
    with contextlib.ExitStack() as stack:
        fd = stack.enter_context(opened(dir_fd, TEMPORARY))
        attributes.copy(like if isinstance(like, int) else stack.enter_context(directory(like)), fd)
        if opaque:
            whiteout.set_opaque(fd, True)
    os.rename(TEMPORARY, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def is_directory(path: Path) -> bool:
    """Say whether there is a directory at a path of a trusted tree, and no symbolic link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            raise
        return False


def way(path: PurePath) -> list[PurePath]:
    """Return the directories that a path lies in, outermost first and without the top of the tree, then the path."""
    return [*list(path.parents)[-2::-1], path] if path.name else []


def exists(dir_fd: int, name: str) -> bool:
    """Say whether a directory has anything of this name."""
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def saved_name(dir_fd: int, name: str) -> str:
    """Return a name that nothing in a directory has, for a file that is in the way: NAME.rpmsave, as rpm calls it."""
    names = itertools.chain([f"{name}.rpmsave"], (f"{name}.rpmsave.{number}" for number in itertools.count(1)))
    return next(free for free in names if not exists(dir_fd, free))


def remove(dir_fd: int, name: str) -> None:
    """Remove what has this name, if anything has: a file, or a directory with all that is in it."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        # rm(1) copes with any depth, and follows no symbolic link.
        room.run_on(dir_fd, name, ["rm", "-rf", "--", f"/proc/self/fd/{dir_fd}/{name}"])


def copy_tree(source: str, target: int, name: str, *, pass_fds: Sequence[int] = ()) -> None:
    """Copy a file or a tree, by its path, to a name in the directory `target`."""
    with replacing(target, name, whatever=True, shared=False):
        path = f"/proc/self/fd/{target}/{TEMPORARY}"
        command = ["cp", "--archive", "--reflink=auto", "--no-target-directory", source, path]
        room.run_on(target, name, command, pass_fds=pass_fds)


def remove_if_empty(dir_fd: int, name: str) -> None:
    """Remove a directory, unless there is something in it."""
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
