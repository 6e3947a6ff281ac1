# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine: its name, where its state lies on disk, and its lock.

Paths are strings here: pathlib takes too long to import. A launch with nothing to do imports this module, so what
takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import stat

from .errors import ToyError, moved_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT = "toy"
"""The name of the machine that is meant where none is given."""

RUN = "/run/toy"
OWN_BASE = f"{RUN}/base"
"""Where the base of a machine is mounted inside it."""

HOST = "/run/host"
"""Where the host's root is mounted in a machine."""

STATE = "/var/lib/toy"
RPMDB = "/usr/lib/sysimage/rpm"
"""Where rpm most likely has its database. Only rpm knows, and it takes time to ask: `connection.dbpath`."""

KEYS = "pubkeys"
"""Directory of rpm's keys, in that of its database, unless they are packages."""

MACHINES = "/var/lib/machines"
"""Where machinectl(1) looks for machines."""

ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
"""Files of accounts in /etc: a machine's follow the host's."""

HEADERS = "usr/lib/sysimage/rpm-headers"
"""A header set's directory, relative to a root."""


def database_below(root: str, dbpath: str) -> str:
    """Return where the rpm database of a root is, if that of the running root is at `dbpath`."""
    # /var/lib/rpm, where it is used at all, is a link; it is resolved here since no snapshot has a /var of its own.
    return dbpath if root == "/" else root.rstrip("/") + os.path.realpath(dbpath)


def mount_source(upper: str) -> str:
    """Return the source name of an overlay's mounts, made of its upper's device and inode numbers.

    They identify the upper; its path would not, being another one in each mount namespace.
    """
    status = os.stat(upper)
    return f"toy:{status.st_dev}:{status.st_ino}"


def make_private(directory: str) -> None:
    """Make a directory that only root can enter, or restrict an existing one of root's to root.

    Locks, sockets and records lie in such directories. Raises ToyError if `directory` is no directory, or not root's.
    """
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0:
        raise ToyError(f"{directory} is not a directory, or does not belong to root", moved_away(directory))
    if status.st_mode & 0o077:
        os.chmod(directory, 0o700)


def _make(directory: str, *, like: str | None) -> None:
    from pathlib import Path

    from .filesystem import files

    with files.directory(Path(directory).parent) as fd:
        files.make_directory(fd, os.path.basename(directory), like=None if like is None else Path(like))


def _is_name(name: str) -> bool:
    """Say whether this is a valid label of a host name, as systemd-nspawn(1) requires of a machine's name."""
    return len(name) <= 64 and name.replace("-", "a").isalnum() and name.isascii() and "-" not in (name[0], name[-1])


class Machine:
    """One named overlay with its state. As a context, it is locked for one launch; nothing is made on disk before."""

    def __init__(self, name: str, root: str = "/", etc: Sequence[str] = ()) -> None:
        if not _is_name(name):
            raise ToyError(f"{name!r} cannot be the name of a machine", "use 1 to 64 letters, digits and inner dashes")
        self.name = name
        self.root = root
        """The tree that the overlay lies over: the running root, or that of a snapshot."""
        self.etc = etc
        """The layers of the root's /etc, uppermost first; none if it is a plain directory of the root."""
        self.directory = f"{STATE}/{name}"
        self.mount_point = f"{MACHINES}/{name}"
        """Empty on disk; the merged root is mounted here in the launch's own mount namespace."""
        self.overlay = f"{self.directory}/overlay"
        """The upper: every file written in the overlay."""
        self.work = f"{self.directory}/work"
        self.mounts = f"{RUN}/{name}.mounts"
        """The table of what a launch mounts, as in fstab(5); in /run, since the disk may be full."""
        self.macros = f"{RUN}/{name}.macros"
        """The directory of the macro files that a launch has rpm read in the machine."""
        self.settings = f"{RUN}/{name}.nspawn"
        """The settings file that a launch gives to systemd-nspawn, if the administrator has one for the machine."""
        self.rpmdb = f"{self.directory}/rpmdb"
        """The merged database."""
        self.new_rpmdb = f"{self.rpmdb}.new"
        """The next merged database, while it is being made."""
        self.base = f"{self.directory}/base"
        """The record of the base: the names of the host's header files that the database was merged with."""
        self.new_base = f"{self.base}.new"
        """The next base. While it exists, it and the complete database in `new_rpmdb` are to be put in place."""
        self.var = f"{self.directory}/var"
        self.run = f"{self.directory}/run"
        """What /run in the machine contains at the start of each launch."""
        self.configuration = f"{self.directory}/run.configuration"
        """The record of the tmpfiles.d(5) configuration that `run` and files in `var` were made from, and of those."""
        self.seeded = f"{self.directory}/seeded"
        """The record of which files in `var` came from the host's, and what they were like; see `following.var`."""
        self.host_layer = f"{self.directory}/host"
        """A lower layer above the root, with the host's header set, where the root cannot be written."""
        self.hidden = f"{self.directory}/hidden"
        """A header set of the host's packages that the overlay hides, kept since the host may drop them."""
        self.accounts = f"{self.directory}/accounts"
        """A directory with the host's ACCOUNTS as they were when the machine last followed them."""
        self.renumbering = f"{self.directory}/renumbering"
        """The record of numbers that accounts are to get, from before the first file has its own until all have."""
        self.homes = f"{self.directory}/homes"
        """The record of the machine's own homes that the last launch found hidden by the host's."""
        self.repositories = f"{self.directory}/repositories"
        """A directory with the host's files of zypper as they were when the machine last followed them."""
        self.keys = f"{self.directory}/keys"
        """The record of the host's keys that are no packages, as they were when the machine last followed them."""
        self.moved = f"{self.directory}/moved"
        """The record of files that moved since the host has links in the place of their directories."""
        self.retired = f"{self.directory}/retired"
        """The record of the machine's packages that gave way to the host's."""
        self.log = f"{self.directory}/log"
        """The log of what became of the machine after the host changed."""
        self.untold = f"{self.directory}/untold"
        """The record of events that nobody was told of yet."""
        self.limits = f"{self.directory}/limits"
        """The record of mount points of the host that the last launch showed only read-only, or not at all."""
        self.intent = f"{self.directory}/intent"
        """The plan of a reconciliation, from before anything of it is done until all is."""
        self.seen = f"{self.directory}/seen"
        """The fingerprint of the last launch, see `launch.fingerprint`."""
        self.socket = f"{RUN}/{name}.socket"
        """The socket of the machine's keeper."""
        self.lock_fd = -1
        """The descriptor that has the machine locked, or -1."""
        self.entered = f"{RUN}/{name}"
        """A directory that exists while the machine is entered; in /run, since a power failure ends that as well."""

    def __enter__(self) -> None:
        """Lock the machine, and make what is missing on disk. Raises ToyError if it is in use."""
        if not self.lock():
            raise ToyError(f"machine {self.name} is in use", "leave it first, or use another one: toy -n NAME")

    def __exit__(self, *_: object) -> None:
        self.release()

    def lock(self) -> bool:
        """Lock the machine, if it is not in use, and make what is missing on disk. Says whether it is locked."""
        from .filesystem.lock import Locked  # who joins does without it, and what it imports: 0.2 ms

        for directory in (RUN, STATE, self.directory):  # old setuid programs may lie in an overlay
            make_private(directory)
        if not os.path.isdir(MACHINES):
            make_private(MACHINES)
        fd = self._open()
        try:
            Locked(fd, wait=False).__enter__()
        except BlockingIOError:
            os.close(fd)
            return False
        self.lock_fd = fd
        models = {self.overlay: self.root, self.var: "/var", self.work: None, self.mount_point: None}
        for directory, model in models.items():
            if not os.path.isdir(directory):
                _make(directory, like=model)
        link = f"{MACHINES}/.{self.name}"
        if not os.path.lexists(link):
            os.symlink(self.directory, link)
        return True

    def release(self) -> None:
        """Close our descriptor of the lock; the lock ends once no process has one any more."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
        self.lock_fd = -1

    def is_in_use(self) -> bool:
        """Say whether somebody has the machine locked now."""
        from .filesystem.lock import Locked

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
