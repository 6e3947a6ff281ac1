# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts processes: no other module does.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import errno
import os

from .errors import ToyError, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import NoReturn

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
    "sync": "coreutils",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}


class Failed(ToyError):
    """A command that ended with another status than 0."""

    def __init__(self, command: Sequence[str], status: int, said: str, lines: Sequence[str] = ()) -> None:
        self.why = said or (f"status {status}" if status >= 0 else f"signal {-status}")
        self.lines = lines
        """The lines that it printed before, see `limited.run`."""
        super().__init__(f"{command[0]} failed: {self.why}", f"to see all that it printed: TOY_DEBUG=1 {typed()}")
        self.status = status


def missing(tool: str) -> ToyError:
    """Return the error for a tool that is not installed."""
    package = _PACKAGES.get(tool)
    if package is None:
        return ToyError(f"{tool} is not installed", f"find its package: cnf {tool}")
    is_read_only = os.statvfs("/usr").f_flag & os.ST_RDONLY
    install = "transactional-update pkg install" if is_read_only else "zypper install"
    return ToyError(f"{tool} is not installed", f"install it: {install} {package}")


def require(*tools: str) -> None:
    """Raise ToyError for the first tool that is not to be found in PATH."""
    for tool in tools:
        path_of(tool)


def path_of(tool: str) -> str:
    """Return the path of a tool that PATH has. Raises ToyError if it has none."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, tool)
        if os.access(path, os.X_OK):
            return path
    raise missing(tool)


def trace(command: Sequence[str]) -> None:
    """Print a command that toy is about to run, if the user asked for debug output."""
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

    `stdin` is a descriptor for it to read from, which is closed here; it inherits `pass_fds`. `environment` is added
    to ours. Raises Failed if the command fails, and ToyError if it is not installed.
    """
    # Without subprocess: to import that takes as long as to run a short command.
    with open(os.memfd_create("stderr"), "w+b") as stderr:
        for fd in pass_fds:
            os.set_inheritable(fd, True)
        try:
            pid = begin(command, stdin=stdin, stderr=stderr.fileno(), environment=environment)
        finally:
            for fd in pass_fds:
                os.set_inheritable(fd, False)
            if stdin is not None:
                os.close(stdin)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        stderr.seek(0)
        said = last_line(stderr.read())
        if status:
            raise Failed(command, status, said)
        return said


def begin(
    command: list[str],
    *,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a command on these descriptors, /dev/null in place of each that is None, and return its process number.

    Raises ToyError if it is not installed.
    """
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
    """Run a command to its end, and return what it wrote to stdout. Raises ToyError as `run` does."""
    return Asked(command).answer()


class Asked:
    """A command that runs in the background, until `answer` collects what it wrote to stdout."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._stdout, self._stderr = (open(os.memfd_create("output"), "w+b") for _ in range(2))  # noqa: SIM115
        self._pid = begin(list(command), stdout=self._stdout.fileno(), stderr=self._stderr.fileno())

    def answer(self) -> str:
        """Wait for the command's end, and return its stdout. To be called once. Raises ToyError as `run` does."""
        with self._stdout, self._stderr:
            status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            self._stdout.seek(0)
            self._stderr.seek(0)
            if status:
                raise Failed(self._command, status, last_line(self._stderr.read()))
            return self._stdout.read().decode(errors="surrogateescape")


class Started:
    """A command that runs in the background, with `content` on its stdin; as a context, it is killed at the end."""

    def __init__(self, command: Sequence[str], content: Iterable[bytes]) -> None:
        self._status: int | None = None
        with open(os.memfd_create("stdin"), "w+b") as stdin:
            stdin.writelines(content)
            stdin.seek(0)
            self._pid = begin(["setpriv", "--pdeathsig", "KILL", *command], stdin=stdin.fileno())

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill the command, unless `succeeded` has waited for its end."""
        if self._status is None:
            import signal  # see the top of this module

            os.kill(self._pid, signal.SIGKILL)
            self.succeeded()

    def succeeded(self) -> bool:
        """Wait for the command's end, and say whether its exit status was 0."""
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        return self._status == 0


def watch(command: list[str], *, stdin: int, stdout: int, keeping: int) -> None:
    """Start a command in a session of its own, which ends by itself: nobody waits for it.

    It has the descriptor `keeping` open as long as it runs.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    streams = [(os.POSIX_SPAWN_DUP2, given, fd) for fd, given in ((0, stdin), (1, stdout), (2, null))]
    os.set_inheritable(keeping, True)
    os.posix_spawnp(command[0], command, os.environ, file_actions=streams, setsid=True)
    os.set_inheritable(keeping, False)
    os.close(null)


def fork(action: Callable[[], object]) -> int:
    """Call a function in a child process, which ends when it returns, and return the child's process number."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def rename(title: str, *, short: str) -> None:
    """Change the command line that others see of this process, as far as there is room, and its name.

    It was forked: whoever looks for the process that forked it by that, to kill it, say, does not mean this one.
    """
    try:  # by calls of the kernel: what open() does for each takes 50 us in a process that was just forked
        stat, memory, comm = (
            os.open(f"/proc/self/{name}", flags | os.O_CLOEXEC)
            for name, flags in (("stat", os.O_RDONLY), ("mem", os.O_RDWR), ("comm", os.O_WRONLY))
        )
        fields = os.read(stat, 4096).rpartition(b")")[2].split()
        begin, end = int(fields[45]), int(fields[46])  # see proc_pid_stat(5): arg_start, arg_end
        os.pwrite(memory, os.fsencode(title)[: end - begin - 1].ljust(end - begin, b"\0"), begin)
        os.write(comm, os.fsencode(short))
        for fd in (stat, memory, comm):
            os.close(fd)
    except OSError:
        pass  # it is for people only


def close_all_but(*fds: int) -> None:
    """Close all descriptors but stdin, stdout, stderr and these."""
    first = 3
    for fd in (*sorted(fds), 2**31 - 1):  # the limit on descriptors may have been lowered since they were opened
        os.closerange(first, fd)
        first = fd + 1


def become(file: str, command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Execute `file`, which is searched for in the PATH of `environment`, in the place of this process.

    As a shell does, sh runs what is no program. Raises OSError.
    """
    folders = [""] if "/" in file else environment.get("PATH", os.defpath).split(os.pathsep)
    failed: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file)
    for folder in folders:  # os.execvpe imports something to warn with, in 0.6 ms
        path = os.path.join(folder, file)
        try:
            os.execve(path, command, environment)  # noqa: S606, as everywhere here
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            failed = error
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve("/bin/sh", ["sh", path, *command[1:]], environment)  # noqa: S606
    raise failed


def last_line(stderr: bytes) -> str:
    """Return the last line of what a command wrote to stderr; print all of it if the user asked for debug output."""
    said = stderr.decode(errors="replace").strip()
    if said and "TOY_DEBUG" in os.environ:
        from . import debug

        debug.said(said)
    return said.rpartition("\n")[2]


def spawn(command: list[str], environment: Mapping[str, str], *, stdin: int, stderr: int) -> int:
    """Start a command with one descriptor as its stdin and stdout, and return its process number.

    It is not traced: who calls this has no stderr.
    """
    streams = [(os.POSIX_SPAWN_DUP2, given, fd) for fd, given in ((0, stdin), (1, stdin), (2, stderr))]
    try:
        return os.posix_spawnp(command[0], command, environment, file_actions=streams)
    except FileNotFoundError:
        raise missing(command[0]) from None
