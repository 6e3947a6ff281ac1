# SPDX-License-Identifier: GPL-2.0-or-later
"""What a session with --host has of the host: /proc, /sys, /dev, /run, its records, and the root, at `machine.HOST`.

The session has a mount namespace of its own, a copy of the machine's, and is in no PID namespace, so it sees, signals
and traces the host's processes. What packages bring would do that as well, by accident: so the programs that install
them are run in the machine's own namespaces.

In /run, the host's directories, sockets and files are read-only, which does not keep anybody from connecting to a
socket; what a program makes there anew is the session's, so that nothing is left on the host.
"""

from __future__ import annotations

import errno
import os

from ..errors import quoted
from ..machine import HOST, RUN
from . import kernel

_RUN = "/run"

_RECORDS = ("/var/log/journal", "/var/log/audit", "/var/lib/systemd/coredump")
"""Directories of what was recorded on the host; the programs that read them look nowhere else."""

_SCRIPTS = f"{_RUN}/.installers"
_WHOLE = ("/proc", "/sys", "/dev")
_LONGEST = 1 << 16

_USERS = "/run/user"
"""A directory of directories, in which each user has one; one that the host lacks can be made."""

_OWN = (HOST, RUN, "/run/lock", _SCRIPTS)
"""What in /run is not the host's."""

_TRACING = (
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("bpf", "/sys/fs/bpf"),
)
"""File systems of the kernel's for debugging; systemd mounts them at the boot."""

_INSTALLERS = ("rpm", "zypper", "dnf", "dnf5", "yum")

# nsenter forks, and waits: what a terminal sends is the program's business, not nsenter's, but for SIGCONT; and if
# nsenter is killed, so is the program.
_INSTALLER = """#!/bin/sh
# In the machine's own PID namespace: what scripts of packages signal is not the host's. toy(8) says more.
[ "$(id -u)" = 0 ] || exec {own} "$@"
trap '' INT QUIT TSTP
exec nsenter --target {pid} --mount --root --wd --uts --ipc --pid -- \\
    setpriv --pdeathsig TERM --bounding-set {bounding} -- env --default-signal=INT,QUIT,TSTP -- \\
    /bin/sh -c 'cd "$1" 2>/dev/null; shift; exec "$@"' sh "$PWD" {program} "$@"
"""


class Installers:
    """The programs in the machine that install packages, each with a script in its place."""

    def __init__(self, leader: int, capabilities: int) -> None:
        """Make the scripts; `View.show` says what the arguments are."""
        self._scripts: dict[str, str] = {}
        os.makedirs(f"{_SCRIPTS}/own", 0o755)
        for name in _INSTALLERS:
            path = os.path.realpath(f"/usr/bin/{name}")
            if os.path.isfile(path):
                self._scripts[path] = script = f"{_SCRIPTS}/{name}"
                content = _INSTALLER.format(
                    own=_own(script), pid=leader, program=quoted(path), bounding=_bounding(capabilities)
                )
                for file, text in ((_own(script), ""), (script, content)):
                    with open(file, "w", encoding="utf-8") as written:
                        written.write(text)
                    os.chmod(file, 0o755)
        try:
            self._events: int | None = kernel.watch(*{os.path.dirname(path) for path in self._scripts})
        except OSError:  # too many users of inotify
            self._events = None
        self._mount()

    def fileno(self) -> int:
        """Return a descriptor that is readable when there may be something to follow, or -1."""
        return -1 if self._events is None else self._events

    def follow(self) -> None:
        """Cover them once more: a mount ends when a file is renamed over the one that it covers, in an update, say."""
        assert self._events is not None
        os.read(self._events, _LONGEST)
        self._mount()

    def _mount(self) -> None:
        for path, script in self._scripts.items():
            try:
                if not os.path.samestat(os.stat(path), os.stat(script)):
                    if os.path.ismount(own := _own(script)):
                        kernel.unmount_tree(own)  # nothing can be mounted over a file that was removed
                    kernel.bind(path, own)
                    kernel.bind(script, path)
            except OSError:
                continue  # it is gone


class View:
    """What shows of the host, taken where toy runs; `show` mounts it in a machine."""

    def __init__(self) -> None:
        self._whole = [(path, kernel.tree(path, read_only=False)) for path in _WHOLE]
        self._root = kernel.tree("/", read_only=False)
        self._records = [(path, kernel.tree(path, read_only=True)) for path in _RECORDS if os.path.isdir(path)]
        self._directories: list[str] = []
        self._links: list[tuple[str, str]] = []
        self._run: list[tuple[str, bool, int]] = []
        self._take(_RUN)

    def _take(self, directory: str) -> None:
        for entry in os.scandir(directory):
            if entry.path in _OWN:
                continue
            try:
                is_directory = entry.is_dir(follow_symlinks=False)
                if entry.is_symlink():
                    self._links.append((entry.path, os.readlink(entry.path)))
                elif is_directory and entry.path == _USERS:
                    self._directories.append(entry.path)
                    self._take(entry.path)
                else:
                    self._run.append((entry.path, is_directory, kernel.tree(entry.path, read_only=True)))
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EINVAL):  # it went away, or is an unbindable mount
                    raise

    def show(self, leader: int, capabilities: int) -> Installers:
        """Mount it, in a mount namespace of this process's own; the process has the root of a machine already.

        `leader` is the PID of the machine's first process, and `capabilities` what its processes can have.
        """
        kernel.leave(kernel.NEWNS)
        kernel.make_slave("/")
        own = kernel.tree(RUN, read_only=False)
        for path in (*_WHOLE, _RUN):  # else who reads the table of mounts finds some that are not to be found
            kernel.unmount_tree(path)
        kernel.mount_new("tmpfs", _RUN, "tmpfs", data="mode=755")
        for path, fd in self._records:  # first, as this follows links of the machine's, which must not lead to the host
            _mount(fd, path)
        for path in self._directories:
            os.mkdir(path)
        for path, is_directory, fd in self._run:
            _mount(fd, path, is_directory=is_directory)
        for path, target in self._links:
            os.symlink(target, path)
        os.mkdir(f"{_RUN}/lock")
        os.chmod(f"{_RUN}/lock", 0o1777)
        _mount(own, RUN)
        _mount(self._root, HOST)
        for path, fd in self._whole:
            _mount(fd, path)
        for kind, path in _TRACING:
            if os.path.isdir(path) and not os.path.ismount(path):
                try:
                    kernel.mount_new(kind, path, kind)
                except OSError:
                    pass  # this kernel has none, which who needs it says
        return Installers(leader, capabilities)


def _own(script: str) -> str:
    """Return where the program shows in whose place a script is; its name has to be the last part."""
    folder, _, name = script.rpartition("/")
    return f"{folder}/own/{name}"


def _mount(fd: int, path: str, *, is_directory: bool = True) -> None:
    if is_directory:
        os.makedirs(path, exist_ok=True)
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    kernel.mount_tree(fd, path)
    os.close(fd)


def _bounding(capabilities: int) -> str:
    """Return the value of setpriv's --bounding-set that leaves those in a mask."""
    kept = [f"+cap_{number}" for number in range(capabilities.bit_length()) if capabilities >> number & 1]
    return ",".join(["-all", *kept])
