# SPDX-License-Identifier: GPL-2.0-or-later
"""Fills the overlay's own /var with what packages expect there, and with the host's newer repository metadata.

Root in the overlay arranges that tree, so nothing here follows a symbolic link in it.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import NamedTuple

from ..filesystem import attributes, compare, files, records
from ..filesystem.walk import walk
from ..headers import header
from ..headers.header import HeaderFile
from ..headers.package import is_plain
from ..host.mounted import ELSEWHERE, is_in

_HOST = Path("/var")

_ALIASES = {os.fspath(_HOST): os.fspath(_HOST)}
"""The aliases where there are none but /var itself."""

_TREES = ("lib/alternatives", "lib/ca-certificates", "lib/selinux", "lib/zypp")
"""State in /var that goes with what is installed; transactional-update shares the same with a new snapshot."""

# libzypp keeps per repository what it downloaded (raw) and libsolv's form of it (solv), and beside those @System,
# libsolv's form of the rpm database, which must not be shared.
_METADATA = ("raw", "solv")
_SYSTEM = "@System"


def seed(
    var: Path,
    owned: Mapping[HeaderFile, AbstractSet[str]],
    *,
    own: AbstractSet[HeaderFile],
    of_host: AbstractSet[HeaderFile],
    homes: Iterable[str],
    aliases: Mapping[str, str],
    record: Path,
) -> None:
    """Copy what is missing in the overlay's /var from the host's: skeleton, `_TREES`, and what the host's packages own.

    `owned` are paths by the header files of the packages that own them, `own` the header files of the overlay's own
    packages, `of_host` the host's own header files of those of its packages that the overlay shows. Nothing is copied
    out of `homes`. `record` is the file that stores `owned`, the `aliases` that it goes by, and how each file looked
    that came from the host. While such a file looks like that in the overlay, it follows the host's; it is removed once
    no package in `own` or `of_host` owns it, and it is not in `_TREES` of the host. So does a directory of which the
    host makes a link or a file, if all that is in it looks like that.
    """
    for folder in (PurePath(), PurePath("lib")):
        with contextlib.suppress(FileNotFoundError), os.scandir(_HOST / folder) as entries:
            for entry in entries:
                if entry.is_symlink() or (folder == PurePath() and entry.is_dir()):
                    _supply(var, folder / entry.name)
    theirs = {path for file in owned.keys() & of_host for path in owned[file] if not is_in(path, homes)}
    theirs |= {path for tree in _TREES for path in _below(_HOST / tree)}
    ours = {path for file in owned.keys() & own for path in owned[file]}
    known = _read_record(record)
    before = (
        known.came if known is not None else {}
    )  # without it nothing is known to be the host's, and all of it stays
    after: dict[str, str] = {}
    for path in sorted(PurePath(name).relative_to(_HOST) for name in theirs):
        have = _description(var, path)
        came_from_host = have is None or before.get(str(path)) == have
        is_turned = have == _DIRECTORY and _description(_HOST, path) not in (None, _DIRECTORY)
        if is_turned and f"{_HOST}/{path}" not in ours and _is_as_it_came(var, path, before):
            with files.directory(var, path.parent) as fd:
                files.remove(fd, path.name)
            have, came_from_host = None, True
        if came_from_host and have != _DIRECTORY and have != (now := _description(_HOST, path)) and now is not None:
            if have is not None:
                _drop(var, path)
            _supply(var, path)
        description = _description(var, path)
        if came_from_host and description is not None:
            after[str(path)] = description
    for name in sorted(before.keys() - after.keys(), reverse=True):
        if f"{_HOST}/{name}" not in theirs | ours and _description(var, PurePath(name)) == before[name]:
            _drop(var, PurePath(name))
    found = {file: sorted(paths) for file, paths in owned.items() if paths}
    records.write(record, {"owned": found, "aliases": dict(aliases), "came": after})


def aliases(root: Path) -> dict[str, str]:
    """Return the paths by which packages may call places in /var, each with that place: /var itself, and links.

    Links are looked for where distributions have them, as /opt -> var/opt.
    """
    found = dict(_ALIASES)
    for folder in (root, root / "usr"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for link in (Path(entry.path) for entry in entries if entry.is_symlink() and entry.name not in ELSEWHERE):
                lead = os.path.normpath(f"/{os.path.relpath(os.path.realpath(link), root)}")
                if lead != os.fspath(_HOST) and is_in(lead, (os.fspath(_HOST),)):
                    found[f"/{link.relative_to(root)}"] = lead
    return found


def owned(record: Path, aliases: Mapping[str, str]) -> dict[HeaderFile, AbstractSet[str]] | None:
    """Return the `owned` that `seed` stored in a record, or None if that cannot be read, or goes by other aliases."""
    known = _read_record(record)
    if known is None or known.aliases != aliases:
        return None
    return {file: frozenset(paths) for file, paths in known.owned.items()}


def renumber(record: Path, to: Mapping[int, int], *, of_users: bool) -> None:
    """Have files that came from the host count as such with other numbers of users or groups (module `renumber`)."""
    known = _read_record(record)
    if known is None:
        return
    for name, description in known.came.items():
        if found := re.fullmatch(r"(\d+) (\d+):(\d+) (.+)", description):  # else there is no owner in it
            mode, user, group, rest = found[1], int(found[2]), int(found[3]), found[4]
            user, group = (to.get(user, user), group) if of_users else (user, to.get(group, group))
            known.came[name] = f"{mode} {user}:{group} {rest}"
    records.write(record, known._asdict(), durable=True)


def auto_installed(var: Path) -> frozenset[str]:
    """Return the names of the packages that zypper installed in the overlay since others need them: libzypp's list."""
    content = files.content(var, PurePath("lib/zypp/AutoInstalled")) or b""
    return frozenset(line for line in content.decode(errors="replace").splitlines() if not line.startswith("#"))


def _below(tree: Path) -> Iterator[str]:
    """Yield the paths of a tree of the host's, itself among them."""
    for folder, directories, names in os.walk(tree):
        yield folder
        yield from (os.path.join(folder, name) for name in (*directories, *names))


_DIRECTORY = "directory"


def _description(var: Path, path: PurePath) -> str | None:
    """Return text that differs if the file at a path is another or a changed one, or None if there is no file."""
    try:
        with files.directory(var, path.parent) as fd:
            status = os.stat(path.name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return _DIRECTORY
            if stat.S_ISLNK(status.st_mode):
                return f"-> {os.readlink(path.name, dir_fd=fd)}"
            # Size and time are not enough: reproducible builds give versions the same times.
            digest = compare.digest(fd, path.name, "sha256") if stat.S_ISREG(status.st_mode) else "-"
            return f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_mtime_ns} {digest}"
    except (FileNotFoundError, files.NotADirectory):
        return None


def _is_as_it_came(var: Path, folder: PurePath, came: Mapping[str, str]) -> bool:
    """Say whether a directory holds nothing but files that have the `_description` in `came`, and their directories."""
    known = {**{os.fspath(above): _DIRECTORY for name in came for above in PurePath(name).parents}, **came}
    below = (here / name for here, fd in walk(var, folder) for name in os.listdir(fd))
    return all(_description(var, path) == known.get(os.fspath(path)) for path in below)


def _drop(var: Path, path: PurePath) -> None:
    """Remove a file, or a directory if it is empty."""
    with files.directory(var, path.parent) as fd:
        try:
            os.unlink(path.name, dir_fd=fd)
        except IsADirectoryError:
            with contextlib.suppress(OSError):
                os.rmdir(path.name, dir_fd=fd)


class _Record(NamedTuple):
    """What `seed` stores."""

    owned: dict[HeaderFile, list[str]]
    aliases: dict[str, str]
    came: dict[str, str]
    """How each file looked that came from the host, by its path in /var."""


def _read_record(record: Path) -> _Record | None:
    """Return what is stored in a record, or None if that cannot be read."""
    stored = records.read(record)
    try:
        # Before there was a version, a list.
        owned, came = (stored["owned"], stored["came"]) if isinstance(stored, dict) else stored
        aliases = stored.get("aliases", _ALIASES) if isinstance(stored, dict) else _ALIASES
        if all(map(header.is_file_name, owned)) and all(is_plain(f"/{name}") for name in came):
            return _Record(
                {file: _paths(paths) for file, paths in owned.items()},
                {str(path): str(lead) for path, lead in aliases.items()},
                {name: str(came[name]) for name in came},
            )
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    return None


def _paths(paths: list[str]) -> list[str]:
    """Return paths of a record. Raises ValueError for one that is not plain, or not in /var."""
    if not all(is_plain(path) and is_in(path, (os.fspath(_HOST),)) for path in paths):
        raise ValueError("it names what no launch copies")
    return paths


def share_metadata(var: Path) -> None:
    """Copy the metadata of each repository that the host refreshed later than the overlay.

    Raises ToyError if something cannot be copied; the overlay then has its older metadata of that, or none.
    """
    host = _HOST / "cache/zypp"
    with contextlib.suppress(FileNotFoundError, files.NotADirectory):
        for repository in sorted(os.listdir(host / "solv")):
            if repository == _SYSTEM or not _newer(host / "solv" / repository / "cookie", var, repository):
                continue
            _supply(var, PurePath("cache/zypp"))
            for kind in _METADATA:  # solv, with the cookie, comes last
                with files.directory(var, PurePath("cache/zypp", kind), create=True, like=_HOST) as fd:
                    files.copy_tree(os.fspath(host / kind / repository), fd, repository)


def _newer(cookie: Path, var: Path, repository: str) -> bool:
    try:
        refreshed = cookie.stat().st_mtime_ns
    except OSError:
        return False
    try:
        with files.directory(var, PurePath("cache/zypp/solv", repository)) as fd:
            return os.stat("cookie", dir_fd=fd, follow_symlinks=False).st_mtime_ns < refreshed
    except FileNotFoundError:
        return True


def forget_installed(var: Path) -> None:
    """Remove libsolv's cache of the rpm database: it knows packages by hdrNum, and a new database has other hdrNums."""
    with contextlib.suppress(FileNotFoundError, files.NotADirectory):
        with files.directory(var, PurePath("cache/zypp/solv")) as fd:
            files.remove(fd, _SYSTEM)


def _supply(var: Path, path: PurePath) -> None:
    """Copy one path, and the directories it lies in, where the host has it and the overlay does not."""
    for part in files.way(path):
        try:
            with files.directory(_HOST, part.parent) as source, files.directory(var, part.parent) as target:
                if files.exists(target, part.name):
                    continue
                mode = os.stat(part.name, dir_fd=source, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    files.make_directory(target, part.name, like=_HOST / part)
                elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                    _copy_file(part.name, source, target)
        except (FileNotFoundError, files.NotADirectory):
            return  # the host does not have it, or the overlay has something else than a directory on the way
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENOTDIR):
                raise
            return  # its owner is putting something else there just now


_SMALL = 1 << 20
"""Most bytes of a file that is copied without cp(1): that takes 3 ms, and an SELinux policy is a thousand files."""


def _copy_file(name: str, source: int, target: int) -> None:
    """Copy a file or a symbolic link from one directory to another."""
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode) and status.st_size > _SMALL:  # cp(1) keeps holes, and shares blocks
        files.copy_tree(f"/proc/self/fd/{source}/{name}", target, name, pass_fds=[source])
        return
    with files.replacing(target, name, whatever=True):
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), files.TEMPORARY, dir_fd=target)
            os.chown(files.TEMPORARY, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        else:
            with files.opened(source, name) as fd, open(fd, "rb", closefd=False) as inner:
                with open(files.make_temporary(target), "wb") as outer:
                    outer.write(inner.read(status.st_size))
                    outer.flush()
                    attributes.copy(fd, outer.fileno())
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(files.TEMPORARY, ns=times, dir_fd=target, follow_symlinks=False)
