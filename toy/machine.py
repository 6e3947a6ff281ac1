# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine: its name, where its state lies on disk, and its lock.

Paths are strings here: pathlib takes too long to import. A launch with nothing to do imports this module, so what
takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import stat

from .errors import ToyError, moved_away
from .filesystem.lock import Locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT = "toy"
"""The name of the machine that is meant where none is given."""

RUN = "/run/toy"
OWN_BASE = f"{RUN}/base"
"""In a machine: its base."""

STATE = "/var/lib/toy"
RPMDB = "/usr/lib/sysimage/rpm"
"""Where rpm has its database most likely; whoever has the time asks rpm."""

KEYS = "pubkeys"
"""Where rpm has its keys, in the directory of its database, unless they are packages."""

MACHINES = "/var/lib/machines"
"""Where machinectl(1) looks."""

ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
"""In /etc: those that a machine follows."""

HEADERS = "usr/lib/sysimage/rpm-headers"
"""A header set's directory, below a root."""


def database_below(root: str, dbpath: str) -> str:
    """Return where the rpm database of a root is, if that of the running one is at `dbpath`."""
    # /var/lib/rpm is a link, where it is used at all, and no snapshot has a /var of its own.
    return dbpath if root == "/" else root.rstrip("/") + os.path.realpath(dbpath)


def mount_source(upper: str) -> str:
    """Return what stands as the source of the mounts of an overlay: it tells its upper from another.

    That has another path in each mount namespace.
    """
    status = os.stat(upper)
    return f"toy:{status.st_dev}:{status.st_ino}"


def make_private(directory: str) -> None:
    """Have a directory that is root's alone, whatever the umask, and whoever could write there before.

    Locks, sockets and records lie in such. Raises ToyError if something else is in its place.
    """
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0:
        raise ToyError(f"{directory} is not a directory of root's", moved_away(directory))
    if status.st_mode & 0o077:
        os.chmod(directory, 0o700)


def _make(directory: str, *, like: str | None) -> None:
    from pathlib import Path

    from .filesystem import files

    with files.directory(Path(directory).parent) as fd:
        files.make_directory(fd, os.path.basename(directory), like=None if like is None else Path(like))


def _is_name(name: str) -> bool:
    """Say whether this is a host name's label, as systemd-nspawn(1) asks of a machine's name."""
    return len(name) <= 64 and name.replace("-", "a").isalnum() and name.isascii() and "-" not in (name[0], name[-1])


class Machine:
    """One named overlay with its state. Nothing is made before it is held, as a context."""

    def __init__(self, name: str, root: str = "/", etc: Sequence[str] = ()) -> None:
        if not _is_name(name):
            raise ToyError(f"{name!r} is no name for a machine", "use 1 to 64 letters, digits and inner dashes")
        self.name = name
        self.root = root
        """The tree that it lies over: the running root, or that of a snapshot."""
        self.etc = etc
        """The layers of the root's /etc, uppermost first, if that is more than a directory in it."""
        self.directory = f"{STATE}/{name}"
        self.mount_point = f"{MACHINES}/{name}"
        """Empty on disk; the merged root is mounted here in the launch's own mount namespace."""
        self.overlay = f"{self.directory}/overlay"
        """The upper: every file written in the overlay."""
        self.work = f"{self.directory}/work"
        self.mounts = f"{RUN}/{name}.mounts"
        """What a launch mounts, as in fstab(5); not on the disk, which may be full."""
        self.macros = f"{RUN}/{name}.macros"
        """What a launch has rpm read in the machine."""
        self.settings = f"{RUN}/{name}.nspawn"
        """What a launch gives to systemd-nspawn, if the administrator has settings for the machine."""
        self.rpmdb = f"{self.directory}/rpmdb"
        """The merged database."""
        self.new_rpmdb = f"{self.rpmdb}.new"
        """The next one, while it is being made."""
        self.base = f"{self.directory}/base"
        """The files of the host's set that the database was merged with."""
        self.new_base = f"{self.base}.new"
        """The next one: while it is there, the next database is to be put in place."""
        self.var = f"{self.directory}/var"
        self.run = f"{self.directory}/run"
        """What its /run begins with."""
        self.configuration = f"{self.directory}/run.configuration"
        """How the configuration looked that this and more in its /var was made of."""
        self.seeded = f"{self.directory}/seeded"
        """Which files of its /var came from the host's, and what they were like."""
        self.host_layer = f"{self.directory}/host"
        """A layer between root and overlay with the host's header set, where that cannot be written."""
        self.hidden = f"{self.directory}/hidden"
        """The headers of the host's packages that the overlay hides: the host may drop them."""
        self.accounts = f"{self.directory}/accounts"
        """The host's passwd(5) and its kin, as they were at the last launch."""
        self.keys = f"{self.directory}/keys"
        """The host's keys that are no packages, as they were when the database was merged."""
        self.log = f"{self.directory}/log"
        """What became of it after the host changed."""
        self.limits = f"{self.directory}/limits"
        """What of the host's the last launch could show only read-only, or not at all."""
        self.intent = f"{self.directory}/intent"
        """What a launch was about to do to the overlay's files, until it is done."""
        self.seen = f"{self.directory}/seen"
        """What the last launch saw when all was in line."""
        self.notifications = f"{RUN}/{name}.notify"
        """The socket on which nspawn says that it is up."""
        self.entered = f"{RUN}/{name}"
        """There while it is entered: not on the disk, since nobody is in after the power failed."""

    def __enter__(self) -> None:
        """Make what is missing, and hold the machine for one launch. Raises ToyError if another one has it."""
        for directory in (RUN, STATE, self.directory):  # old setuid programs may lie in an overlay
            make_private(directory)
        if not os.path.isdir(MACHINES):
            make_private(MACHINES)
        self._fd = self._open()
        try:
            Locked(self._fd, wait=False).__enter__()
        except BlockingIOError:
            os.close(self._fd)
            raise ToyError(
                f"machine {self.name} is in use", "leave it first, or use another one: toy -n NAME"
            ) from None
        models = {self.overlay: self.root, self.var: "/var", self.work: None, self.mount_point: None}
        for directory, model in models.items():
            if not os.path.isdir(directory):
                _make(directory, like=model)
        link = f"{MACHINES}/.{self.name}"
        if not os.path.lexists(link):
            os.symlink(self.directory, link)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)  # and with it goes the lock

    def is_in_use(self) -> bool:
        """Say whether somebody holds it now."""
        fd = self._open()
        try:
            with Locked(fd, wait=False):
                return False
        except BlockingIOError:
            return True
        finally:
            os.close(fd)

    def _open(self) -> int:
        return os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
