# SPDX-License-Identifier: GPL-2.0-or-later
"""Fills the overlay's own /var with what packages expect there, and with the host's newer repository metadata.

Root in the overlay arranges that tree, so nothing here follows a symbolic link in it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import NamedTuple

from ..filesystem import attributes, files, stable
from ..filesystem.walk import walk
from ..headers.header import HeaderFile
from ..host.mounted import ELSEWHERE, is_in
from . import looks, seeded

_HOST = Path("/var")

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
    as_installed: Callable[[], AbstractSet[str]],
) -> None:
    """Copy what is missing in the overlay's /var from the host's: skeleton, `_TREES`, and what the host's packages own.

    `owned` are paths by the header files of the packages that own them, `own` the header files of the overlay's own
    packages, `of_host` the host's own header files of those of its packages that the overlay shows. Nothing is copied
    out of `homes`. `record` is the file that stores `owned`, the `aliases` that it goes by, and how each file looked
    that came from the host. While such a file looks like that in the overlay, it follows the host's; it is removed once
    no package in `own` or `of_host` owns it, and it is not in `_TREES` of the host. So does a directory of which the
    host makes a link or a file, if all that is in it looks like that. All else is the user's, and stays.

    This may be killed anywhere, and run again with another host: before anything is copied, how that looks on the host
    is on stable storage, and a file that looks like either counts as the host's; all that was copied is there before
    the record says so. If the record cannot be read, files count as the host's that look as they do there now, or that
    `as_installed` names, which is asked only then: paths of what is just as packages of the host's brought it earlier.
    """
    theirs = {path for file in owned.keys() & of_host for path in owned[file] if not is_in(path, homes)}
    theirs |= {path for tree in _TREES for path in _below(_HOST / tree)}
    ours = {path for file in owned.keys() & own for path in owned[file]}
    known = seeded.read(record)
    before = _as_on_the_host(var, theirs, as_installed()) if known is None else _as_they_came(var, known)
    plan = _planned(var, theirs, ours, before)
    found = seeded.Seeded({file: sorted(paths) for file, paths in owned.items() if paths}, dict(aliases), {})
    is_to_change = bool(plan.copies or plan.stale)
    if is_to_change:
        earlier = {} if known is None else known.owned  # the host may go back to these packages
        coming = {os.fspath(path): look for path, look in plan.copies.items()}
        intended = found._replace(owned={**earlier, **found.owned}, came=before, coming=coming)
        seeded.write(record, intended)
    for path in plan.copies:
        if path in plan.turned:
            with files.directory(var, path.parent) as fd:
                files.remove(fd, path.name)
        else:
            _drop(var, path)
        _supply(var, path)
    for path in plan.stale:
        _drop(var, path)
    _supply_skeleton(var)
    after = ((os.fspath(path), looks.of(var, path)) for path in plan.following)
    if is_to_change:
        stable.synchronize([var])
    seeded.write(record, found._replace(came={name: look for name, look in after if look is not None}))


class _Plan(NamedTuple):
    """What `seed` is going to do. A directory comes before what is in it, but for `stale`."""

    following: list[PurePath]
    """The paths of what follows the host's."""
    copies: dict[PurePath, str]
    """The paths of what is to be copied, and how each looks on the host."""
    turned: set[PurePath]
    """Those of them where the overlay has a directory, which goes with all that is in it."""
    stale: list[PurePath]
    """The paths of what is to go."""


def _planned(var: Path, theirs: AbstractSet[str], ours: AbstractSet[str], before: Mapping[str, str]) -> _Plan:
    plan = _Plan([], {}, set(), [])
    for path in sorted(PurePath(name).relative_to(_HOST) for name in theirs):
        have, now = looks.of(var, path), looks.of(_HOST, path)
        is_turned = have == looks.DIRECTORY and now not in (None, looks.DIRECTORY)
        if is_turned and f"{_HOST}/{path}" not in ours and _is_as_it_came(var, path, before):
            plan.turned.add(path)
        if have is None or before.get(os.fspath(path)) == have or path in plan.turned:
            plan.following.append(path)
            if now is not None and now != have and (have != looks.DIRECTORY or path in plan.turned):
                plan.copies[path] = now
    for name in sorted(before, reverse=True):
        if f"{_HOST}/{name}" not in theirs | ours and looks.of(var, PurePath(name)) == before[name]:
            plan.stale.append(PurePath(name))
    return plan


def _as_they_came(var: Path, known: seeded.Seeded) -> dict[str, str]:
    """Return how files look, or looked, that came from the host, by path in /var; and finish what was not finished."""
    before = dict(known.came)
    if known.coming is None:
        return before
    for folder in {PurePath(), PurePath("lib"), *(PurePath(name).parent for name in known.coming)}:
        with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(var, folder) as fd:
            files.remove(fd, files.TEMPORARY)
    for name, look in known.coming.items():
        have = looks.of(var, PurePath(name))
        # A power failure may have taken the content, and since this was recorded, nobody but us wrote to the file.
        if have is not None and looks.without_content(have) == looks.without_content(look):
            before[name] = have
    return before


def _as_on_the_host(var: Path, names: AbstractSet[str], as_installed: AbstractSet[str]) -> dict[str, str]:
    """Return how those files look that are as on the host, or that are in `as_installed`, by path in /var."""
    found = {}
    for name in names | as_installed:
        path = PurePath(name).relative_to(_HOST)
        have = looks.of(var, path)
        if have is not None and (name in as_installed or have == looks.of(_HOST, path)):
            found[os.fspath(path)] = have
    return found


def aliases(root: Path) -> dict[str, str]:
    """Return the paths by which packages may call places in /var, each with that place: /var itself, and links.

    Links are looked for where distributions have them, as /opt -> var/opt.
    """
    found = dict(seeded.ALIASES)
    for folder in (root, root / "usr"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for link in (Path(entry.path) for entry in entries if entry.is_symlink() and entry.name not in ELSEWHERE):
                lead = os.path.normpath(f"/{os.path.relpath(os.path.realpath(link), root)}")
                if lead != os.fspath(_HOST) and is_in(lead, (os.fspath(_HOST),)):
                    found[f"/{link.relative_to(root)}"] = lead
    return found


def auto_installed(var: Path) -> frozenset[str]:
    """Return the names of the packages that zypper installed in the overlay since others need them: libzypp's list."""
    content = files.content(var, PurePath("lib/zypp/AutoInstalled")) or b""
    return frozenset(line for line in content.decode(errors="replace").splitlines() if not line.startswith("#"))


def _below(tree: Path) -> Iterator[str]:
    """Yield the paths of a tree of the host's, itself among them."""
    for folder, directories, names in os.walk(tree):
        yield folder
        yield from (os.path.join(folder, name) for name in (*directories, *names))


def _is_as_it_came(var: Path, folder: PurePath, came: Mapping[str, str]) -> bool:
    """Say whether a directory holds nothing but files that look as in `came`, and their directories."""
    known = {**{os.fspath(above): looks.DIRECTORY for name in came for above in PurePath(name).parents}, **came}
    below = (here / name for here, fd in walk(var, folder) for name in os.listdir(fd))
    return all(looks.of(var, path) == known.get(os.fspath(path)) for path in below)


def _drop(var: Path, path: PurePath) -> None:
    """Remove a file, or a directory if it is empty, if there is one."""
    gone = (FileNotFoundError, files.NotADirectory)
    with contextlib.suppress(*gone), files.directory(var, path.parent) as fd:
        try:
            os.unlink(path.name, dir_fd=fd)
        except IsADirectoryError:
            with contextlib.suppress(OSError):
                os.rmdir(path.name, dir_fd=fd)


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


def _supply_skeleton(var: Path) -> None:
    """Copy the directories in the host's /var, and the links there and in lib, where the overlay has nothing."""
    for folder in (PurePath(), PurePath("lib")):
        with contextlib.suppress(FileNotFoundError), os.scandir(_HOST / folder) as entries:
            for entry in entries:
                if entry.is_symlink() or (folder == PurePath() and entry.is_dir()):
                    _supply(var, folder / entry.name)


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
