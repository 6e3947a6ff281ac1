# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches: files that are generated from what is installed, and the commands that make them anew.

An overlay's copy of such a file is stale once the host changed.
"""

import fnmatch
import os
import shlex
from collections.abc import Callable, Iterable, Mapping

from ..headers.package import PackageFile, is_plain

_DIRECTORY = "{}"
"""In a command: the directory of the file."""

_INFO = 'for file in "$1"/*.info*; do [ ! -e "$file" ] || install-info "$file" "$1/dir" || exit; done'
"""The script that adds to a directory of info files what it lacks (install-info(1))."""

_CACHES: Mapping[str, tuple[str, ...]] = {
    "/etc/ld.so.cache": ("ldconfig",),
    "/etc/udev/hwdb.bin": ("systemd-hwdb", "update"),
    "/usr/lib/udev/hwdb.bin": ("systemd-hwdb", "update", "--usr"),
    "/usr/lib*/gio/modules/giomodule.cache": ("gio-querymodules", _DIRECTORY),
    "/usr/share/applications/mimeinfo.cache": ("update-desktop-database", "-q", _DIRECTORY),
    "/usr/share/glib-2.0/schemas/gschemas.compiled": ("glib-compile-schemas", _DIRECTORY),
    "/usr/share/icons/*/icon-theme.cache": ("gtk-update-icon-cache", "-f", "-q", _DIRECTORY),
    "/usr/share/info/dir": ("sh", "-c", _INFO, "sh", _DIRECTORY),
    "/usr/share/mime/mime.cache": ("update-mime-database", _DIRECTORY),
}
"""Patterns (glob(7)) of paths, and the command that makes the file anew."""

IN_VAR: Mapping[str, tuple[str, ...]] = {
    "/var/lib/ca-certificates": ("update-ca-certificates",),
    "/var/lib/systemd/catalog": ("journalctl", "--update-catalog"),
}
"""Directories of generated files in a machine's own /var, and the command that makes them anew: see `made_in_var`."""

_MADE = (*_CACHES, "/usr/share/mime/[!p]*")
"""Patterns of all paths that these commands make, in which * stands for slashes as well.

update-mime-database makes a tree, out of what is in packages/ there.
"""

Cache = tuple[str, list[str]]
"""The path of a generated file, and the command that makes it anew."""


def in_upper(find: Callable[[str], Iterable[str]]) -> list[Cache]:
    """Return the caches that an upper has; `find` returns the paths in it that match a pattern, see glob(7)."""
    return [(path, _command(path, words)) for pattern, words in _CACHES.items() for path in find(pattern)]


def is_made(file: PackageFile) -> bool:
    """Say whether a file of a package is made by the command for a cache, and not brought by the package."""
    return file.is_ghost and any(fnmatch.fnmatchcase(file.path, pattern) for pattern in _MADE)


def _command(path: str, words: Iterable[str]) -> list[str]:
    return [os.path.dirname(path) if word == _DIRECTORY else word for word in words]


def anew(path: str, machine: str) -> str | None:
    """Return what to type to have a generated file made anew, or None if this is none."""
    found = [_command(path, words) for pattern, words in _CACHES.items() if fnmatch.fnmatchcase(path, pattern)]
    found += [[*IN_VAR[path]]] if path in IN_VAR else []
    return f"toy -n {machine} -- {shlex.join(found[0])}" if found else None


def is_known(cache: Cache) -> bool:
    """Say whether `in_upper` could have returned this."""
    path, command = cache
    return is_plain(path) and any(
        fnmatch.fnmatchcase(path, pattern) and command == _command(path, words) for pattern, words in _CACHES.items()
    )
