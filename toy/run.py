# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes: the only module that starts any.

On the way that every launch goes (see `launch`): modules that take time are imported where they are used.
"""

from __future__ import annotations

# What signal is made of. That makes enums of all its constants as well, which takes longer than all else that a launch
# with nothing to do goes through.
import _signal  # type: ignore[import-not-found]
import os
import select
import time

from .errors import ToyError, typed
from .notifications import Notifications

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_PACKAGES = {
    "btrfs": "btrfsprogs",
    "cp": "coreutils",
    "mount": "util-linux",
    "mountpoint": "util-linux",
    "rm": "coreutils",
    "rpmdb": "rpm",
    "setfiles": "policycoreutils",
    "setpriv": "util-linux",
    "stat": "coreutils",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}


class Failed(ToyError):
    """A command that ended with another status than 0."""

    def __init__(self, command: Sequence[str], status: int, said: str) -> None:
        self.why = said or f"status {status}"
        super().__init__(f"{command[0]} failed: {self.why}", f"all that it said: TOY_DEBUG=1 {typed()}")
        self.status = status


def missing(tool: str) -> ToyError:
    """Return the error for a tool that is not installed."""
    return ToyError(f"{tool} is not installed", f"install the package {_PACKAGES.get(tool, 'it is in')}")


def require(*tools: str) -> None:
    """Raise ToyError for the first tool that is not to be found in PATH."""
    for tool in tools:
        path_of(tool)


def path_of(tool: str) -> str:
    """Return where PATH has a tool. Raises ToyError if nowhere."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, tool)
        if os.access(path, os.X_OK):
            return path
    raise missing(tool)


def trace(command: Sequence[str]) -> None:
    """Print a command that is going to be run, if the user asked for that."""
    if "TOY_DEBUG" in os.environ:
        from . import debug

        debug.command(command)


def run(
    command: list[str],
    *,
    stdin: int | None = None,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end, and return the last line of its stderr.

    `stdin` is a descriptor that is the command's alone from now on. Raises Failed if the command fails.
    """
    # subprocess takes as long to import as a short command does.
    with open(os.memfd_create("stderr"), "w+b") as stderr:
        for fd in pass_fds:
            os.set_inheritable(fd, True)
        try:
            pid = _started(command, stdin=stdin, stderr=stderr.fileno(), environment=environment)
        finally:
            for fd in pass_fds:
                os.set_inheritable(fd, False)
            if stdin is not None:
                os.close(stdin)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        stderr.seek(0)
        said = _last_line(stderr.read())
        if status:
            raise Failed(command, status, said)
        return said


def _started(
    command: list[str],
    *,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a command, with /dev/null for what is not given, and return its process number."""
    trace(command)
    streams: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) if given is None else (os.POSIX_SPAWN_DUP2, given, fd)
        for fd, given in ((0, stdin), (1, stdout), (2, stderr))
    ]
    try:
        pid = os.posix_spawnp(command[0], command, {**os.environ, **(environment or {})}, file_actions=streams)
    except FileNotFoundError:
        raise missing(command[0]) from None
    return pid


def output(command: Sequence[str]) -> str:
    """Run a command to its end, and return what it printed. Raises ToyError as `run` does."""
    return Asked(command).answer()


class Asked:
    """A command at work, until somebody wants to know what it prints."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._stdout, self._stderr = (open(os.memfd_create("output"), "w+b") for _ in range(2))  # noqa: SIM115
        self._pid = _started(list(command), stdout=self._stdout.fileno(), stderr=self._stderr.fileno())

    def answer(self) -> str:
        """Return what it printed, once. Raises ToyError as `run` does."""
        with self._stdout, self._stderr:
            status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            self._stdout.seek(0)
            self._stderr.seek(0)
            if status:
                raise Failed(self._command, status, _last_line(self._stderr.read()))
            return self._stdout.read().decode(errors="surrogateescape")


class Started:
    """A command at work meanwhile, with some bytes on its stdin; as a context, it is over at the end."""

    def __init__(self, command: Sequence[str], content: Iterable[bytes]) -> None:
        self._status: int | None = None
        with open(os.memfd_create("stdin"), "w+b") as stdin:
            stdin.writelines(content)
            stdin.seek(0)
            self._pid = _started(["setpriv", "--pdeathsig", "KILL", *command], stdin=stdin.fileno())

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, if it has not ended."""
        if self._status is None:
            os.kill(self._pid, _signal.SIGKILL)
            self.succeeded()

    def succeeded(self) -> bool:
        """Wait for its end, and say whether its exit status was 0."""
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        return self._status == 0


def fork(action: Callable[[], object]) -> int:
    """Call a function in a process of its own, which ends with it, and return the process number."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def _last_line(stderr: bytes) -> str:
    said = stderr.decode(errors="replace").strip()
    if said and "TOY_DEBUG" in os.environ:
        from . import debug

        debug.said(said)
    return said.rpartition("\n")[2]


def supervised(
    command: list[str], *, environment: dict[str, str], address: str, meanwhile: Callable[[], None]
) -> tuple[int, bool]:
    """Run systemd-nspawn, somewhere in `command`, on our stdin, stdout and stderr.

    Without a terminal of its own, its payload would not get the signals that we get: they are handed on to the
    payload's process group. `address` is the path of a socket for sd_notify(3), in a directory that is root's alone.
    `meanwhile` is called once, if the payload is at work for longer than a moment. Returns the exit status, 128 + N if
    signal N killed it, and whether nspawn ever said that it was up. Raises KeyboardInterrupt if a signal came while it
    did not come up.
    """
    with Notifications(address) as notifications, _Signals() as signals:
        pid = _spawn(command, {**os.environ, **environment, "NOTIFY_SOCKET": address})
        has_signal = _watch(pid, notifications, signals, meanwhile)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if has_signal and not notifications.is_up:
        raise KeyboardInterrupt
    return 128 - status if status < 0 else status, notifications.is_up


def _spawn(command: list[str], environment: dict[str, str]) -> int:
    """Start nspawn, and return its process number.

    It takes a ^C for itself, so without a terminal it gets a process group of its own; a terminal it sets to raw mode,
    and there is none then.
    """
    trace(command)
    try:
        if os.isatty(0) and os.isatty(1):
            pid = os.posix_spawnp(command[0], command, environment)
        else:
            pid = os.posix_spawnp(command[0], command, environment, setpgroup=0)
    except FileNotFoundError:
        raise missing(command[0]) from None
    return pid


_MOMENT = 0.2
"""Seconds after which what can wait is done."""

_PATIENCE = 1.0
"""Seconds that nspawn may take to come up once a signal says that it is not wanted."""

_TICK = 0.005
"""Seconds between two looks for a payload."""


def _watch(pid: int, notifications: Notifications, signals: _Signals, meanwhile: Callable[[], None]) -> bool:
    """Wait until nspawn has ended, and say whether a signal came meanwhile."""
    process = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (process, notifications.fileno(), signals.fileno()):
        poll.register(fd, select.POLLIN)
    pending: set[int] = set()
    is_waiting, has_signal, since = True, False, 0.0
    while True:
        seconds = _TICK if pending else _MOMENT if notifications.is_up and is_waiting else None
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        notifications.read()
        came = signals.read()
        has_signal |= bool(came)
        if process in ready:
            os.close(process)
            return has_signal
        if not pending:
            since = time.monotonic()
        pending |= came
        if pending:
            # Without a payload, nspawn is starting or ending, and either takes but a moment.
            if _handed_on(pid, pending):
                pending.clear()
            elif time.monotonic() > since + _PATIENCE:
                pending.clear()
                if not notifications.is_up:
                    os.kill(pid, _signal.SIGKILL)
        elif not ready:
            is_waiting = False
            meanwhile()


_HANDED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)


class _Signals:
    """Signals that a payload is to get; while this is entered, they do no more than to be there to be read.

    Afterwards they do nothing: there is a status not to be lost. See `Interruptible`.
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
        """Return a descriptor that is readable when one came."""
        return self._there

    def read(self) -> set[int]:
        """Return the numbers of those that came."""
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
    """Find what `systemd-nspawn --as-pid2` runs: number 2 of the inner one of the two process namespaces."""
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
