# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator's settings for a machine, systemd.nspawn(5), and what toy adds to them.

systemd-nspawn takes mounts either all from the command line or all from this file. So toy adds its own to a copy of the
file, and mounts the copy over the file where nspawn looks.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..errors import ToyError
from ..host.mounted import is_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_UNSET = ("",)
_OFF = ("", "0", "f", "false", "n", "no", "off")
_ON = ("", "1", "on", "t", "true", "y", "yes")

_POSSIBLE = {
    "BindUser": _UNSET,
    "BindUserShell": _UNSET,
    "Boot": _OFF,
    "Ephemeral": _OFF,
    "NotifyReady": _OFF,
    "Parameters": _UNSET,
    "PivotRoot": _UNSET,
    "PrivateUsers": _OFF,
    "PrivateUsersChown": _OFF,
    "PrivateUsersDelegate": _OFF,
    "PrivateUsersOwnership": _OFF,
    "ProcessTwo": _ON,
    "ReadOnly": _OFF,
    "Volatile": _OFF,
}
"""Settings that say how a machine is run, with the values, in lower case, with which toy can run one."""

_MOUNTS = {
    "Bind": 1,
    "BindReadOnly": 1,
    "Inaccessible": 0,
    "Overlay": -1,
    "OverlayReadOnly": -1,
    "TemporaryFileSystem": 0,
}
"""Settings that mount something, with the index of the field that is the mount point; if there is none, it is 0."""

_MOUNT = 'mount --bind "$1" "$2" || exit 1; shift 2; exec "$@"'


class Settings:
    """The settings file at a path. Raises OSError if it cannot be read, ToyError if toy cannot do what it says."""

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            self._text = file.read()
        self._assignments = list(_assignments(self._text))
        last = dict(self._assignments)
        for name, possible in _POSSIBLE.items():
            if last.get(name, "").lower() not in possible:
                raise self._refused(name, last[name], "remove that line")

    @property
    def names(self) -> frozenset[str]:
        """The names of the settings in the file."""
        return frozenset(name for name, _ in self._assignments)

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables of environments that the file sets."""
        said = " ".join(value for name, value in self._assignments if name == "Environment")
        return frozenset(re.findall(r"(?<!\w)(\w+)=", said))

    def mentions(self, path: str) -> bool:
        """Say whether the text of the file has a path of the host's anywhere."""
        return path in self._text

    def extended(
        self,
        *,
        binds: Collection[str],
        read_only_binds: Collection[str],
        own: Collection[str],
        untouched: Collection[str],
    ) -> str:
        """Return the text of this file with the given mounts added.

        The binds are values as `nspawn.bind` makes them. If the administrator mounts at the same place, that counts.
        Raises ToyError if the administrator mounts something that would hide one of the paths
        `own`, or that is in one of `untouched`.
        """
        taken = set()
        for name, value in self._assignments:
            if name in _MOUNTS and value:
                taken.add(target := _target(value, _MOUNTS[name]))
                if any(_hides(target, path) for path in own) or any(_hides(path, target) for path in untouched):
                    machines = "/run, /var, the rpm database and the header set are the machine's own"
                    raise self._refused(name, value, f"change the mount point in that line: {machines}")
        lines = ["[Files]"]
        lines += [f"Bind={value}" for value in binds if _target(value, 1) not in taken]
        lines += [f"BindReadOnly={value}" for value in read_only_binds if _target(value, 1) not in taken]
        # They come last, so that nspawn counts the lines as the administrator does; the empty one ends a continuation.
        return "\n".join([self._text, "", *lines, ""])

    def replaced(self, file: str, command: list[str]) -> list[str]:
        """Return the command line, for a mount namespace, that mounts `file` over this one and runs `command`."""
        return ["sh", "-c", _MOUNT, "sh", file, self._path, *command]

    def _refused(self, name: str, value: str, next_step: str) -> ToyError:
        return ToyError(f"{self._path} says {name}={value}, which toy cannot do", next_step)


def write(path: str, text: str) -> None:
    """Write a file that nobody else can read: there may be passwords in the environment."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each assignment, as systemd reads them (systemd.syntax(7))."""
    begun = ""
    for line in [*text.removeprefix("\ufeff").split("\n"), ""]:
        if line.lstrip()[:1] in ("#", ";"):
            continue
        line = begun + line
        begun = ""
        if (len(line) - len(line.rstrip("\\"))) % 2:
            begun = f"{line[:-1]} "
        elif "=" in line:
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _target(value: str, field: int) -> str:
    """Return the mount point, in the machine, in a setting's value; `field` is as in `_MOUNTS`."""
    fields = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", value)]
    path = fields[field] if field < len(fields) else ""
    return os.path.realpath(path or fields[0].lstrip("+-"))


def _hides(target: str, path: str) -> bool:
    """Say whether a mount at `target` would be over `path`, or over a directory that it is in."""
    return is_in(path, (target.rstrip("/"),))
