# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups of sessions with --host, so that nothing of such a session outlives it.

The kernel kills all that is in a group at once (Documentation/admin-guide/cgroup-v2.rst: cgroup.kill). If guard and
monitor of a session are killed, a shell that waits for their end has it do so, and keeps the machine up until it is
done. Where there are no control groups of version 2 that we can make, or Linux is older than 5.14, there is no group;
`guard` ends what is left, if it is not killed.
"""

from __future__ import annotations

import os

from .. import process
from ..host import mounted

_WATCHER = ["sh", "-c", 'read -r _; echo 1; until rmdir "$0" || ! [ -d "$0" ]; do sleep 0.01; done']
"""Its stdin ends with the last of those who watch over the session; nobody can remove a group that is in use."""

_NAME = "toy-"


class Group:
    """A control group below the one that we are in, unless there can be none."""

    def __init__(self, connection: int) -> None:
        """Make it. What ends it if we and who inherits `fds` are killed keeps a descriptor `connection` open."""
        self.fds: list[int] = []
        """Descriptors that who enters the group, or watches over it, needs."""
        self._path: str | None = None
        try:
            self._make(_ours(), connection)
        except OSError:
            self.remove()
            self._path = None

    def _make(self, around: str, connection: int) -> None:
        _remove_left_over(around)
        path = f"{around}/{_NAME}{os.getpid()}"
        os.mkdir(path)
        self._path = path
        self._procs = os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        self._kill = os.open(f"{path}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        there, held = os.pipe2(os.O_CLOEXEC)
        process.watch([*_WATCHER, path], stdin=there, stdout=self._kill, keeping=connection)
        os.close(there)
        self.fds = [self._procs, self._kill, held]

    def enter(self) -> None:
        """Move this process into the group."""
        if self._path is not None:
            try:
                os.write(self._procs, b"0")
            except OSError:
                pass  # there are processes in a group around it, say, which forbid it: `guard` has to do

    def kill(self) -> None:
        """Kill all that is in the group."""
        if self._path is not None:
            os.write(self._kill, b"1")

    def remove(self) -> None:
        """Remove the group, if nobody is in it any more."""
        if self._path is not None:
            try:
                os.rmdir(self._path)
            except OSError:
                pass


def _remove_left_over(around: str) -> None:
    """Remove the groups of sessions that were killed."""
    for name in os.listdir(around):
        pid = name.removeprefix(_NAME)
        if pid != name and (pid == str(os.getpid()) or not os.path.exists(f"/proc/{pid}")):
            try:
                os.rmdir(f"{around}/{name}")
            except OSError:
                pass  # not all in it have ended yet


def _ours() -> str:
    """Return the directory of the control group that we are in. Raises OSError if there are none of version 2."""
    with open("/proc/self/cgroup") as file:
        ours = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    for _, _, root, point, kind, _ in mounted.table():
        path = f"{point}{ours}".rstrip("/")
        if kind == "cgroup2" and root == "/" and os.path.exists(f"{path}/cgroup.procs"):  # else a mount covers it
            return path
    raise FileNotFoundError
