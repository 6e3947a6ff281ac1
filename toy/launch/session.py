# SPDX-License-Identifier: GPL-2.0-or-later
"""A session: one command in a machine that is up, and what starts it there and watches it.

`start` forks a process that moves into the namespaces of the machine, the monitor. It gives the command a
pseudo-terminal of the machine's, if it is to have one, and a process group of its own, as a shell does, and reports
when the command stops or ends. Nothing that it needs comes from the machine, whose files may be broken, or anybody's
work.

Monitor and toy exchange messages: words of text, separated by spaces. To toy go "terminal" with descriptors of its two
sides, "started", "stopped NUMBER" with the signal, "ended STATUS" as waitpid(2) has it, "failed ERRNO" if the command
could not be executed, and "broken TEXT" if there is no session to be had. To the monitor go "signal NUMBER", for the
command's process group, and "continue WHERE".
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
import select
import stat
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET, socket, socketpair
from array import array

from .. import process
from ..errors import EXIT_FAILURE
from ..machine import HOST
from . import cgroup, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .terminal import Modes
    from .user import User

FOREGROUND, BACKGROUND = "foreground", "background"
"""Where on the machine's terminal a command is started, or continued."""

_NAMESPACES = kernel.NEWNS | kernel.NEWCGROUP | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWNET

_NOT_PASSED_ON = ("LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "OLDPWD", "PWD", "SHLVL", "_")
"""Variables of the machine's first process that are no other process's business."""

_DISPLAYS = "/tmp/.X11-unix"  # noqa: S108, so it is called

_PASSWD, _LONGEST = "/etc/passwd", 1 << 20
_SHELLS = ("/bin/bash", "/bin/sh")


class Order:
    """What a session is to run, and how."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: str) -> None:
        self.command = command
        """Empty for a login shell."""
        self.environment = environment
        """Variables of the caller's; the administrator's count."""
        self.directory = directory
        """The caller's directory, which the command gets if the machine has it; "" if it is gone."""
        self.streams: list[int] = []
        """Those of the descriptors 0, 1 and 2 that are to be the machine's terminal; the others are the caller's."""
        self.modes: Modes = []
        """The modes of that terminal; empty if the command is to have none."""
        self.size = b""
        self.where = FOREGROUND
        self.with_host = False
        """Whether it is to see the host: see `host_view`."""
        self.user: User | None = None
        """As whom it runs, else as the machine's first process: root, if the administrator has no settings."""


class Leader:
    """The first process of a machine, which has what systemd-nspawn gives to each."""

    def __init__(self, pid: int, pidfd: int, settings: list[str], connection: int, keeper: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.settings = settings
        """The names of the administrator's settings, and $NAME for each variable that they set."""
        self.connection = connection
        """A descriptor of our connection to the machine's keeper, which ends the machine once all such are closed."""
        self.keeper = keeper
        """The keeper's PID, if it is our child."""


def start(order: Order, leader: Leader) -> tuple[int, socket]:
    """Start a monitor, and return its PID and a socket for messages."""
    ours, its = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    if order.with_host:
        kernel.adopt_orphans()
        pid = process.fork(lambda: _Monitor(its).run(order, leader))
    else:
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        kernel.join(leader.pidfd, kernel.NEWPID)
        pid = process.fork(lambda: _Monitor(its).run(order, leader))
        kernel.join(own, kernel.NEWPID)  # there are no more children in the machine's, once it has ended
        os.close(own)
    its.close()
    return pid, ours


def end_descendants(*, but: int = 0) -> None:
    """Kill all that is left of a session with --host: no PID namespace ends with it, and it has the overlay mounted.

    Those whose parents end become our children. The child `but` is spared.
    """
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            pids = [pid for pid in map(int, children.read().split()) if pid != but]
        if not pids:
            return
        for pid in pids:
            os.kill(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)


class _Monitor:
    def __init__(self, messages: socket) -> None:
        self._messages = messages
        self._command = 0
        self._slave: int | None = None
        self._group: cgroup.Group | None = None
        """The control group of a session with --host."""

    def run(self, order: Order, leader: Leader) -> None:
        """Run the session to its end."""
        try:
            self._begin(order, leader)
        except (OSError, ValueError) as error:
            self._tell(f"broken {error}")
            os._exit(EXIT_FAILURE)
        self._watch()

    def _begin(self, order: Order, leader: Leader) -> None:
        process.rename(f"toy: session of {os.getppid()}", short="(session)")
        process.close_all_but(self._messages.fileno(), leader.pidfd, leader.connection)
        like = _Like(leader)
        directories = None
        if order.user is not None:
            from .user import Directories

            like.take_user(order.user)
            directories = Directories(order.user)
        if order.with_host:
            self._group = cgroup.Group()
            self._see_host(leader, like)
        else:
            kernel.enter(leader.pid, leader.pidfd, _NAMESPACES)
        os.close(leader.pidfd)
        if directories is not None:
            directories.show()
        os.setsid()
        if order.environment.get("DISPLAY", "").startswith((":", "unix:")):
            _show_display()
        if order.modes:
            self._open_terminal(order)
        self._woken, here = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(here, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, _ignore)
        mask = _signal.pthread_sigmask(_signal.SIG_SETMASK, set(_signal.valid_signals()) - {_signal.SIGCHLD})
        self._command = process.fork(lambda: self._execute(order, like, mask))
        self._tell("started")

    def _see_host(self, leader: Leader, like: _Like) -> None:
        from . import host_view

        kernel.adopt_orphans()
        view = host_view.View()
        kernel.enter(leader.pid, leader.pidfd, kernel.NEWNS)
        view.show(leader.pid, like.bounding)
        like.is_unlimited = True

    def _tell(self, text: str, *fds: int) -> None:
        from _socket import SCM_RIGHTS, SOL_SOCKET

        data = [(SOL_SOCKET, SCM_RIGHTS, array("i", fds))] if fds else []
        try:
            self._messages.sendmsg([text.encode()], data)
        except OSError:
            pass  # toy was killed, which `_watch` notices

    def _open_terminal(self, order: Order) -> None:
        from fcntl import ioctl
        from termios import TIOCSCTTY

        from . import terminal

        master, self._slave = os.openpty()
        terminal.set_modes(self._slave, order.modes)
        terminal.set_size(self._slave, order.size)
        if order.user is not None:
            os.fchown(self._slave, order.user.uid, -1)
        ioctl(self._slave, TIOCSCTTY, 0)
        self._tell("terminal", master, self._slave)
        os.close(master)
        for fd in range(3):
            if fd in order.streams:
                os.dup2(self._slave, fd)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._messages.fileno(), select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._woken:
                    os.read(self._woken, 4096)
                    self._report()
                else:
                    self._obey(self._messages.recv(64).decode().split())

    def _report(self) -> None:
        pid, status = os.waitpid(self._command, os.WNOHANG | os.WUNTRACED) if self._command else (0, 0)
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            self._tell(f"stopped {os.WSTOPSIG(status)}")
            return
        self._command = 0
        self._tell(f"ended {status}")

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["signal", number]:
                self._kill(int(number))
            case ["continue", where]:
                if self._slave is not None:
                    os.tcsetpgrp(self._slave, self._command if where == FOREGROUND else os.getpgrp())
                self._kill(_signal.SIGCONT)
            case []:  # toy has ended: if it was killed, the command gets what it would get if its terminal was gone
                self._kill(_signal.SIGHUP)
                self._kill(_signal.SIGCONT)
                if self._group is not None:
                    end_descendants()
                    self._group.remove()
                os._exit(0)

    def _kill(self, number: int) -> None:
        try:
            if self._command:
                os.killpg(self._command, number)
        except ProcessLookupError:
            pass

    def _execute(self, order: Order, like: _Like, mask: Iterable[int]) -> None:
        """Become the command."""
        os.setpgid(0, 0)
        if self._group is not None:
            self._group.enter()
        if self._slave is not None and order.where == FOREGROUND:
            os.tcsetpgrp(self._slave, os.getpid())  # SIGTTOU is blocked
        environment = like.environment | {
            name: value for name, value in order.environment.items() if f"${name}" not in like.settings
        }
        try:
            like.become()
            command, file = _command(order.command, like.shell or _shell_of(like.uid), environment)
            _change_directory(
                order.directory if like.directory is None else like.directory, environment.get("HOME", "/")
            )
            _signal.set_wakeup_fd(-1)
            for number in (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGTTOU):  # which Python and toy ignore
                _signal.signal(number, _signal.SIG_DFL)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            process.become(file, command, environment)
        except OSError as error:
            self._tell(f"failed {error.errno}")
            os._exit(126)


def _ignore(_number: int, _frame: object) -> None:
    pass


def _command(words: list[str], preferred: str, environment: dict[str, str]) -> tuple[list[str], str]:
    """Return the words of a command and the file to execute; without words, those of a login shell."""
    if words:
        return words, words[0]
    for shell in (preferred, *_SHELLS):
        if shell and os.access(shell, os.X_OK):
            environment["SHELL"] = shell
            return [f"-{os.path.basename(shell)}"], shell
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), _SHELLS[-1])


def _show_display() -> None:
    """Have the sockets of X servers where X clients look for them."""
    try:
        os.symlink(f"{HOST}{_DISPLAYS}", _DISPLAYS)
    except OSError:
        pass  # there is one already, perhaps the administrator's


def _shell_of(uid: int) -> str:
    """Return the shell that passwd(5) in the machine has for a user, or ""."""
    try:
        fd = os.open(_PASSWD, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(fd, "rb") as file:
        content = file.read(_LONGEST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    for line in content.splitlines():
        fields = os.fsdecode(line).split(":")
        if len(fields) == 7 and fields[2] == str(uid) and fields[6].startswith("/"):
            return fields[6]
    return ""


def _change_directory(*places: str | int) -> None:
    for place in (*places, "/"):
        try:
            os.chdir(place)
            return
        except OSError:
            continue


def _limits(path: str, settings: list[str]) -> dict[int, tuple[int, int]]:
    """Return the limits that settings are about, by number, from a process's file in /proc.

    prlimit(2) would need a capability for the process of another user.
    """
    import resource

    with open(path, encoding="ascii") as file:
        _, *lines = file  # in the order of their numbers, in columns (linux, fs/proc/base.c)
    values = [[line[begin : begin + 20].strip() for begin in (26, 47)] for line in lines]
    numbers = [getattr(resource, f"RLIMIT_{name[5:]}", None) for name in settings if name.startswith("Limit")]
    found = {}
    for each in numbers:
        if each is not None:
            soft, hard = (resource.RLIM_INFINITY if text == "unlimited" else int(text) for text in values[each])
            found[each] = soft, hard
    return found


class _Like:
    """What systemd-nspawn gave to the first process of a machine, and each command is to have as well.

    It is read where the host's /proc is, and by `become` given to this process.
    """

    def __init__(self, leader: Leader) -> None:
        self.settings = leader.settings
        of_leader = f"/proc/{leader.pid}"
        with open(f"{of_leader}/environ", "rb") as file:
            words = [os.fsdecode(word).partition("=") for word in file.read().split(b"\0")]
        self.environment = {name: value for name, by, value in words if by and name not in _NOT_PASSED_ON}
        with open(f"{of_leader}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        number = int(fields["NSpid"].split()[-1])  # in the machine, where this process is
        self.uid, self._gid = int(fields["Uid"].split()[0]), int(fields["Gid"].split()[0])
        self._groups = [int(word) for word in fields["Groups"].split()]
        self.bounding, self._permitted, self._inheritable, self._ambient = (
            int(fields[f"Cap{which}"], 16) for which in ("Bnd", "Prm", "Inh", "Amb")
        )
        self.is_unlimited = False
        self.is_of_user = False
        self.shell = ""
        self._no_new_privileges = fields["NoNewPrivs"] == "1"
        self._filters = kernel.system_call_filters(number) if fields.get("Seccomp") == "2" else []
        self.directory: int | None = None
        """A descriptor, as its path may look another one from here."""
        if "WorkingDirectory" in leader.settings:
            self.directory = os.open(f"{of_leader}/cwd", os.O_PATH | os.O_CLOEXEC)
        self._limits: dict[int, tuple[int, int]] = {}
        if any(name.startswith("Limit") for name in leader.settings):
            self._limits = _limits(f"{of_leader}/limits", leader.settings)
        self._adjustment = ""
        if "OOMScoreAdjust" in leader.settings:
            with open(f"{of_leader}/oom_score_adj") as file:
                self._adjustment = file.read()
        self._personality = 0
        if "Personality" in leader.settings:
            with open(f"{of_leader}/personality") as file:
                self._personality = int(file.read(), 16)
        self._processors = os.sched_getaffinity(number) if "CPUAffinity" in leader.settings else None

    def take_user(self, user: User) -> None:
        """Have the process be another user's."""
        self.uid, self._gid, self._groups, self.shell = user.uid, user.gid, user.groups, user.shell
        self.environment |= user.environment()
        self.is_of_user = True

    def become(self) -> None:
        """Give this process what the first process of the machine has. Raises OSError."""
        if not self.is_unlimited:
            self._limit()
        os.setgroups(self._groups)
        os.setresgid(self._gid, self._gid, self._gid)
        keeps = not (self.is_unlimited or self.is_of_user)
        if keeps:
            kernel.keep_capabilities()
        os.setresuid(self.uid, self.uid, self.uid)
        if keeps:
            kernel.set_capabilities(permitted=self._permitted, inheritable=self._inheritable, ambient=self._ambient)
        if self._no_new_privileges and not self.is_unlimited:
            kernel.forbid_new_privileges()

    def _limit(self) -> None:
        if self._adjustment:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write(self._adjustment)
        if self._personality:
            kernel.set_personality(self._personality)
        if self._processors:
            os.sched_setaffinity(0, self._processors)
        if self._limits:
            import resource

            for number, limits in self._limits.items():
                resource.setrlimit(number, limits)
        kernel.filter_system_calls(self._filters)
        kernel.bound_capabilities(self.bounding)
