# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides whose homes a machine shares with the host.

The rule is the same whoever enters, and however: the home of root and that of each regular user whom the host knows
is the host's own, if it exists. All else in /home is the overlay's. If only the caller's home were shared, one path
would mean two directories, depending on whether the caller used sudo or logged in as root. If all of /home were
shared, useradd(8) in the overlay would make directories on the host, for accounts that the host does not have.

Homes are shared with people, not with rpm: see `launch.netshared`. A launch with nothing to do imports this module,
so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import stat

from . import mounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ACCOUNTS = "/etc/passwd"

_NOT_LOGGED_IN = 2**32 - 1
"""The loginuid of a process outside of any login (proc_pid_loginuid(5))."""

_REGULAR = range(1000, 61184), range(65536, _NOT_LOGGED_IN)
"""Numbers of regular users; those between are systemd's and nobody's (systemd, docs/UIDS-GIDS.md)."""


def shared() -> dict[str, list[str]]:
    """Return the homes that are shared: the names of each, by its path without symbolic links. None lies in another.

    The names of a home are all known paths that lead to it, or to a home in it; its own path is one of them.
    """
    names: dict[str, set[str]] = {}
    for uid, path in _accounts():
        real = os.path.realpath(path)
        # rpm takes a colon for the end of a path. The owner counts since a link on the way may be another user's.
        if ":" not in real and real != "/" and _is_directory_of(uid, real):
            names.setdefault(real, {real}).update(_on_the_way(path))
    links = _links_in_root()
    found: dict[str, list[str]] = {}
    for real in sorted(names, key=lambda path: f"{path}/"):  # a home before those in it
        around = next((home for home in found if mounted.is_in(real, (home,))), real)
        aliases = {f"{link}{real[len(target) :]}" for link, target in links.items() if mounted.is_in(real, (target,))}
        found.setdefault(around, []).extend(sorted(name for name in names[real] | aliases if ":" not in name))
    return found


def names() -> list[str]:
    """Return all names of all homes that are shared."""
    return [name for known in shared().values() for name in known]


def _accounts() -> Iterator[tuple[int, str]]:
    """Yield user number and home of the accounts whose homes may be shared.

    These are root and the caller, from wherever the host has its accounts, and the regular users in passwd(5) whose
    homes are on a disk: a server that does not answer would make a launch wait.
    """
    listed = _listed()
    for uid in {0, *_callers()}:
        home = next((home for number, home in listed if number == uid), None) or _looked_up(uid)
        if _is_person(uid) and home.startswith("/"):
            yield uid, _normal(home)
    people = [(uid, home) for uid, home in listed if uid != 0 and _is_person(uid)]
    if people:
        mounts = {point: mounted.is_local(source, kind) for point, source, kind in mounted.visible()}
        yield from ((uid, home) for uid, home in people if _nearest(home, mounts))


def _listed() -> list[tuple[int, str]]:
    """Return user number and home of the accounts in passwd(5)."""
    found = []
    with open(_ACCOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(":")
            if len(fields) == 7 and fields[2].isdecimal() and fields[5].startswith("/"):
                found.append((int(fields[2]), _normal(fields[5])))
    return found


def _looked_up(uid: int) -> str:
    """Return the home of an account that is not in passwd(5), or "" if the host has no such account."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def of_root() -> str:
    """Return root's home."""
    return next((home for uid, home in _listed() if uid == 0), "/root")


def _normal(path: str) -> str:
    return os.path.normpath("/" + path.lstrip("/"))  # os.path.normpath leaves two slashes


def _callers() -> set[int]:
    """Return the numbers of the user who called sudo, pkexec or su."""
    numbers = {os.environ.get("SUDO_UID", ""), os.environ.get("PKEXEC_UID", "")}
    try:
        with open("/proc/self/loginuid") as file:
            numbers.add(file.read().strip())
    except OSError:
        pass  # a kernel without audit
    return {int(number) for number in numbers if number.isdecimal()} - {_NOT_LOGGED_IN}


def caller() -> int | None:
    """Return the number of the user who called sudo or its like, or else who logged in; None if that is root."""
    for name in ("SUDO_UID", "PKEXEC_UID"):
        number = os.environ.get(name, "")
        if number.isdecimal():
            return int(number) or None
    return next(iter(_callers() - {0}), None)


def _is_person(uid: int) -> bool:
    return uid == 0 or any(uid in regular for regular in _REGULAR)


def _nearest(path: str, mounts: Mapping[str, bool]) -> bool:
    """Return what `mounts`, by mount point, says of the mount that a path lies in."""
    while path != "/" and path not in mounts:
        path = os.path.dirname(path)
    return mounts.get(path, True)


def _is_directory_of(uid: int, path: str) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid


def _on_the_way(path: str) -> Iterator[str]:
    """Yield a path, then the path that results from following each symbolic link in it, one after the other."""
    for _ in range(40):  # as many as the kernel follows
        yield path
        parts = path.split("/")
        for end in range(2, len(parts) + 1):
            folder = "/".join(parts[:end])
            if os.path.islink(folder):
                target = os.path.join(os.path.dirname(folder), os.readlink(folder))
                path = os.path.normpath("/".join([target, *parts[end:]]))
                break
        else:
            return


def _links_in_root() -> dict[str, str]:
    """Return the symbolic links in the root directory, and where each leads: /home and /root may be links."""
    with os.scandir("/") as entries:
        return {entry.path: os.path.realpath(entry.path) for entry in entries if entry.is_symlink()}
