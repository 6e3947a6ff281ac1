# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups of sessions with --host, so that nothing of such a session outlives it.

No PID namespace ends with it. A shell waits for the end of the process that made the group, however that ends, and has
the kernel kill all that is in it (Documentation/admin-guide/cgroup-v2.rst: cgroup.kill). Where there are no control
groups of version 2, or Linux is older than 5.14, the group is not made; `session.end_descendants` ends what is left if
at least one of toy, monitor and keeper is not killed.
"""

from __future__ import annotations

import os

from .. import process
from ..host import mounted

_WATCHER = ["sh", "-c", "read -r _; echo 1"]


_NAME = "toy-"


class Group:
    """A control group below the one that we are in."""

    def __init__(self) -> None:
        self._path: str | None = None
        around = _ours()
        if around is None:
            return
        _remove_left_over(around)
        path = f"{around}/{_NAME}{os.getpid()}"
        try:
            os.mkdir(path)
            self._path = path
            self._procs = os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
            kill = os.open(f"{path}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self.remove()
            self._path = None
            return
        there, self._held = os.pipe2(os.O_CLOEXEC)
        process.watch(_WATCHER, stdin=there, stdout=kill)
        os.close(there)
        os.close(kill)

    def enter(self) -> None:
        """Move this process into the group."""
        if self._path is not None:
            os.write(self._procs, b"0")

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
        if pid != name and not os.path.exists(f"/proc/{pid}"):
            try:
                os.rmdir(f"{around}/{name}")
            except OSError:
                pass  # not all in it have ended yet


def _ours() -> str | None:
    """Return the directory of the control group that we are in, or None if there are none of version 2."""
    with open("/proc/self/cgroup") as file:
        ours = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), None)
    points = [point for _, _, root, point, kind, _ in mounted.table() if kind == "cgroup2" and root == "/"]
    return None if ours is None or not points else points[0] + ours.rstrip("/")
