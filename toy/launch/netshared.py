# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps rpm in a machine from writing into homes, by the macro `%_netsharedpath`.

rpm installs, changes and erases nothing below the paths in that macro, and says nothing of them in a verification.
toy writes the macro into a file for each launch, which is mounted read-only where each rpm in the machine finds it. A
launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import stat

from ..host import homes
from ..machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

MACROS = "macros.d/macros.toy-homes"
"""The macro file, below a directory of rpm's configuration. No package owns it: rpm cannot replace what is mounted."""

CONFIGURATION = "/usr/lib/rpm"

_MACRO = "%_netsharedpath"
_OF_USER = "%_toy_netsharedpath"
"""The macro that the user's own definitions of `_MACRO` define instead in the machine."""


_LARGEST = 1 << 20
"""Most bytes of a macro file; whoever made a larger one in the machine did not mean it for rpm."""


class MacroFile:
    """A macro file of a launch: the path to write it to, the path in the machine to mount it on, and its content."""

    def __init__(self, path: str, target: str, content: bytes, like: os.stat_result | None = None) -> None:
        self.path = path
        self.target = target
        self.content = content
        self.like = like
        """Status of a file whose owner and mode it gets; without one, all can read it."""

    def write(self) -> None:
        """Write the file to its path."""
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(self.content)
            if self.like is None:
                os.fchmod(fd, 0o644)
            else:
                os.fchown(fd, self.like.st_uid, self.like.st_gid)
                os.fchmod(fd, stat.S_IMODE(self.like.st_mode))


def macro_files(machine: Machine, shared: Mapping[str, Iterable[str]]) -> list[MacroFile]:
    """Return the macro files of a launch, to be mounted read-only; `shared` is what `homes.shared` returns."""
    if not shared:
        return []
    paths = [path for names in shared.values() for path in names]
    vendors = dict.fromkeys((CONFIGURATION, os.environ.get("RPM_CONFIGDIR") or CONFIGURATION))
    content = definition(paths).encode(errors="surrogateescape")
    found = [MacroFile(f"{machine.macros}/homes", f"{vendor}/{MACROS}", content) for vendor in vendors]
    for number, (target, fd) in enumerate(_files_of_user(machine, shared)):
        with open(fd, "rb") as file:
            amended = _amended(file.read(_LARGEST + 1))
            if amended is not None:
                found.append(MacroFile(f"{machine.macros}/{number}", target, amended, os.fstat(fd)))
    return found


def definition(paths: Iterable[str]) -> str:
    """Return the text of the file that defines `_MACRO` as these paths, followed by those that the user defined."""
    listed = ":".join(path.replace("%", "%%") for path in paths if "\n" not in path)
    of_user = _OF_USER.removeprefix("%")
    return f"{_MACRO} {listed}%{{?{of_user}::%{{{of_user}}}}}\n"


def _amended(content: bytes) -> bytes | None:
    """Return a macro file that defines `_OF_USER` instead of `_MACRO`, or None if it lacks that or is too large."""
    if len(content) > _LARGEST or _MACRO.encode() not in content:
        return None
    import re

    amended = re.sub(rb"(?m)^([ \t]*)%b(?!\w)" % _MACRO.encode(), rb"\1" + _OF_USER.encode(), content)
    return None if amended == content else amended


def _files_of_user(machine: Machine, shared: Container[str]) -> Iterator[tuple[str, int]]:
    """Yield macro files that rpm reads after ours (rpm, docs/man/rpm.8: macros): path in the machine, descriptor."""
    folder = "etc/rpm"
    root = machine.root.rstrip("/") or "/"
    own, of_host = _names(machine.overlay, folder), _names(root, folder)
    for name in sorted({*own, *of_host}):
        if name == "macros" or name.startswith("macros."):
            fd = _opened(machine.overlay if name in own else root, f"{folder}/{name}")
            if fd is not None:
                yield f"/{folder}/{name}", fd
    home = os.path.realpath(homes.of_root())
    if home in shared:  # only root's: other users could put a link there, and have the mount cover any other file
        for name in (".rpmmacros", ".config/rpm/macros"):
            fd = _opened(home, name)
            if fd is not None:
                yield f"{home}/{name}", fd


def _names(root: str, folder: str) -> list[str]:
    fd = _opened(root, folder, stat.S_IFDIR)
    if fd is None:
        return []
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _opened(root: str, path: str, kind: int = stat.S_IFREG) -> int | None:
    """Return a descriptor for reading `path` in the trusted directory `root`, or None if it is not of this type.

    `kind` is the type, as in st_mode. Whoever arranged the tree, no link in it is followed, and no device opened.
    """
    fd = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        for name in path.split("/"):
            above, fd = fd, os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(above)
        if stat.S_IFMT(os.fstat(fd).st_mode) == kind:
            return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        pass
    finally:
        os.close(fd)
    return None
