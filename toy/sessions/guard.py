# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard of a session with --host: nothing that such a session started outlives it.

No PID namespace ends with such a session, and each process in it has the overlay mounted. The guard is the parent of
the session's monitor, and of each process whose own parent has ended. Once the monitor has ended, it kills them all. It
keeps the machine up until then: so the next toy joins it, or waits for its end, and never mounts the overlay once more.

It is no part of toy's own process, which may have children that its caller started before.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from .. import process
from . import kernel
from .cgroup import Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def start(monitor: Callable[[Group], None], refuse: Callable[[Exception], None], connection: int) -> int:
    """Fork a guard which forks `monitor`, and return its PID.

    `refuse` says why it cannot; `connection` to the machine's keeper is kept open.
    """
    toy = os.getpid()
    return process.fork(lambda: _guard(toy, monitor, refuse, connection))


def _guard(toy: int, monitor: Callable[[Group], None], refuse: Callable[[Exception], None], connection: int) -> None:
    kernel.adopt_orphans()
    group = Group(connection)
    try:
        pid = process.fork(lambda: monitor(group))
    except OSError as error:
        refuse(error)
        group.remove()
        return
    os.setsid()
    os.chdir("/")
    _signal.set_wakeup_fd(-1)
    for number in _signal.valid_signals() - {_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD}:
        _signal.signal(number, _signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(null, fd)
    process.close_all_but(connection, *group.fds)
    process.rename(f"toy: guard of {toy}", short="(guard)")
    while os.waitpid(-1, 0)[0] != pid:
        pass  # the end of one whose parent had ended
    group.kill()
    end_children()
    group.remove()


def end_children() -> None:
    """Kill all children. Those whose parents end become our children."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            pids = [int(pid) for pid in children.read().split()]
        if not pids:
            return
        for pid in pids:
            os.kill(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)
