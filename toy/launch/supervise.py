# SPDX-License-Identifier: GPL-2.0-or-later
"""Supervises systemd-nspawn: hands signals on to the command in the machine, and returns its exit status."""

from __future__ import annotations

# The C module below signal, which makes enums of its constants: that saves 4.6 ms of each launch (see `launch`).
import _signal  # type: ignore[import-not-found]
import os
import select
import time

from .. import process
from ..streams import say
from .notifications import Notifications

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def supervised(
    command: list[str], *, environment: dict[str, str], address: str, meanwhile: Callable[[], None]
) -> tuple[int, bool]:
    """Run `command`, a command line that runs systemd-nspawn, on our stdin, stdout and stderr.

    Signals that we get are handed on to the process group of nspawn's payload, which without a terminal of its own
    would not get them. `address` is the path of a socket for sd_notify(3), in a directory that is root's alone.
    `meanwhile` is called once, if the payload is at work for longer than a moment. Returns the exit status, 128 + N if
    signal N killed the command, and whether nspawn ever said that it was up. Raises KeyboardInterrupt if a signal came
    and nspawn did not come up.
    """
    with Notifications(address) as notifications, _Signals() as signals:
        # nspawn takes a ^C for itself, so without a terminal it gets a process group of its own. With one, it sets the
        # terminal to raw mode, in which ^C is no signal.
        has_terminal = os.isatty(0) and os.isatty(1)
        environment = {**os.environ, **environment, "NOTIFY_SOCKET": address}
        pid = process.spawn(command, environment, own_group=not has_terminal)
        sent = _watch(pid, notifications, signals, meanwhile)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if sent and not notifications.is_up:
        raise KeyboardInterrupt
    if _signal.SIGKILL in sent:
        status = -_signal.SIGKILL  # of which nspawn makes 255
    return 128 - status if status < 0 else status, notifications.is_up


_MOMENT = 0.2
"""Seconds without an event, once nspawn is up, after which `meanwhile` is called."""

_PATIENCE = 1.0
"""Seconds after a signal in which nspawn has to have a payload to hand it on to; else it is killed, if it is not up."""

_GRACE = 10.0
"""Seconds that a payload has to end after SIGTERM before it is killed, as with podman-stop(1): interactive shells, say,
ignore the signal."""

_TICK = 0.005
"""Seconds between two searches for a payload."""


def _watch(pid: int, notifications: Notifications, signals: _Signals, meanwhile: Callable[[], None]) -> set[int]:
    """Wait until nspawn has ended, and return the numbers of the signals for the payload meanwhile."""
    process = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (process, notifications.fileno(), signals.fileno()):
        poll.register(fd, select.POLLIN)
    pending: set[int] = set()
    sent: set[int] = set()
    is_waiting, since, end = True, 0.0, 0.0
    while True:
        seconds = _TICK if pending else _MOMENT if notifications.is_up and is_waiting else None
        if end:
            left = max(0.0, end - time.monotonic())
            seconds = left if seconds is None else min(left, seconds)
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        notifications.read()
        came = signals.read()
        if process in ready:
            os.close(process)
            return sent | came
        if _signal.SIGTERM in came and not end:
            end = time.monotonic() + _GRACE
        if end and time.monotonic() > end:
            say(f"the command did not end in {_GRACE:.0f} s after SIGTERM, so it is killed")
            came.add(_signal.SIGKILL)  # not to nspawn, which is to wait until all of the machine has ended
            end = 0.0
        if not pending:
            since = time.monotonic()
        sent |= came
        pending |= came
        if pending:
            # Without a payload, nspawn is starting or ending, and either takes but a moment.
            if _handed_on(pid, pending):
                pending.clear()
            elif time.monotonic() > since + _PATIENCE:
                if not notifications.is_up or _signal.SIGKILL in pending:
                    os.kill(pid, _signal.SIGKILL)
                pending.clear()
        elif not ready and is_waiting and notifications.is_up:
            is_waiting = False
            meanwhile()


_HANDED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)


class _Signals:
    """The signals that a payload is to get: while this is entered, they are only kept for `read`.

    Afterwards they are ignored, so that the command's status is not lost. See `Interruptible`.
    """

    def __enter__(self) -> _Signals:  # noqa: PYI034, typing takes time
        self._there, self._here = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(self._here, warn_on_full_buffer=False)
        for number in _HANDED_ON:
            _signal.signal(number, _ignore)
        return self

    def __exit__(self, *_: object) -> None:
        _signal.set_wakeup_fd(-1)
        os.close(self._there)
        os.close(self._here)

    def fileno(self) -> int:
        """Return a descriptor that is readable when a signal came."""
        return self._there

    def read(self) -> set[int]:
        """Return the numbers of the signals that came since the last call."""
        try:
            return set(os.read(self._there, 4096))
        except BlockingIOError:
            return set()


def _ignore(_number: int, _frame: object) -> None:
    pass


class Interruptible:
    """While this is entered, after a payload has ended, SIGINT raises KeyboardInterrupt, once."""

    def __enter__(self) -> None:
        _signal.signal(_signal.SIGINT, _interrupt)

    def __exit__(self, *_: object) -> None:
        _signal.signal(_signal.SIGINT, _ignore)


def _interrupt(number: int, _frame: object) -> None:
    _signal.signal(number, _ignore)
    raise KeyboardInterrupt


def _handed_on(pid: int, numbers: Iterable[int]) -> bool:
    """Send signals to the payload of nspawn, and say whether there was one."""
    payload = _payload(pid)
    if payload is None:
        return False
    try:
        for number in numbers:
            os.killpg(payload, number)
    except ProcessLookupError:  # it has no process group yet, or ended just now
        return False
    return True


def _payload(ancestor: int) -> int | None:
    """Return the PID of what `systemd-nspawn --as-pid2` runs, which is 2 in the inner of two PID namespaces."""
    own_depth = len(_namespace_pids(os.getpid()))
    candidates = [ancestor]
    while candidates:
        pid = candidates.pop()
        try:
            numbers = _namespace_pids(pid)
            if len(numbers) == own_depth + 2 and numbers[-1] == "2":
                return pid
            with open(f"/proc/{pid}/task/{pid}/children") as children:
                candidates.extend(map(int, children.read().split()))
        except OSError:
            continue  # it ended meanwhile
    return None


def _namespace_pids(pid: int) -> list[str]:
    with open(f"/proc/{pid}/status") as status:
        return next(line for line in status if line.startswith("NSpid:")).split()[1:]
