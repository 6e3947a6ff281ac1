# SPDX-License-Identifier: GPL-2.0-or-later
"""A session: one command in a machine that is up, and what starts it there and watches it.

`start` forks a process that moves into the namespaces of the machine, the monitor. It gives the command a
pseudo-terminal of the machine's, if it is to have one, and a process group of its own, as a shell does, and reports
when the command stops or ends. Nothing that it needs comes from the machine, whose files may be broken, or anybody's
work.

Monitor and toy exchange messages: words of text, separated by spaces. To toy go "terminal" with descriptors of its two
sides, "stopped NUMBER" with the signal, "continued" once "continue" is obeyed, "ended STATUS" as waitpid(2) has it,
"failed ERRNO" if the command could not be executed, and if there is no session to be had, "broken ERRNO TEXT", or
"refused" and the two parts of an error. To the monitor go "signal NUMBER", for the
command's process group, "continue WHERE", and "typed" once what was typed before is where the command finds it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET, socket, socketpair

from .. import process
from ..errors import EXIT_FAILURE, ToyError
from ..machine import HOST
from . import kernel, login
from .like import Leader, Like
from .messages import receive, send
from .order import FOREGROUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from .cgroup import Group
    from .host_view import Installers
    from .order import Order

_NAMESPACES = kernel.NEWNS | kernel.NEWCGROUP | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWNET

_IGNORED = (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGTTOU)
"""Signals that Python and toy ignore, and a command is not to."""

_DISPLAYS = "/tmp/.X11-unix"  # noqa: S108, so it is called


def start(order: Order, leader: Leader) -> tuple[int, socket]:
    """Start a monitor, and return the PID of the child to wait for, once it was told to end, and a socket for messages.

    The child is the monitor, or its guard.
    """
    ours, its = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    monitor = _Monitor(its)
    if order.with_host:
        from . import guard

        pid = guard.start(lambda group: monitor.run(order, leader, group), monitor.refuse, leader.connection)
    else:
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        kernel.join(leader.pidfd, kernel.NEWPID)
        pid = process.fork(lambda: monitor.run(order, leader))
        kernel.join(own, kernel.NEWPID)  # there are no more children in the machine's, once it has ended
        os.close(own)
    its.close()
    return pid, ours


class _Monitor:
    def __init__(self, messages: socket) -> None:
        self._messages = messages
        self._parent = os.getpid()
        self._command = 0
        self._slave: int | None = None
        self._group: Group | None = None
        """The control group of a session with --host."""
        self._early: list[list[str]] = []
        """Messages from before the command was started."""
        self._installers: Installers | None = None

    def run(self, order: Order, leader: Leader, group: Group | None = None) -> None:
        """Run the session to its end."""
        self._group = group
        try:
            self._begin(order, leader)
        except Exception as error:
            self._give_up(error)
        self._watch()

    def refuse(self, error: Exception) -> None:
        """Say that there is no session to be had. Nothing is imported for that: it might be the machine's."""
        if isinstance(error, ToyError):
            self._tell(f"refused {error.what}\0{error.next_step}")
        elif isinstance(error, OSError):
            number = error.errno or 0
            self._tell(f"broken {number} {str(error).removeprefix(f'[Errno {number}] ')}")
        else:
            self._tell(f"broken 0 {type(error).__name__}: {error}")

    def _begin(self, order: Order, leader: Leader) -> None:
        process.rename(f"toy: session of {self._parent}", short="(session)")
        of_group = self._group.fds if self._group is not None else []
        process.close_all_but(self._messages.fileno(), leader.pidfd, leader.connection, *of_group)
        like = Like(leader, is_unlimited=order.with_host)
        directories = None
        if order.user is not None:
            from .user import Directories

            like.take_user(order.user)
            directories = Directories(order.user)
        if order.with_host:
            self._see_host(leader, like)
        else:
            kernel.enter(leader.pid, leader.pidfd, _NAMESPACES)
        os.close(leader.pidfd)
        if directories is not None:
            directories.show(is_own_view=order.with_host)
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
        try:
            os.setpgid(self._command, 0)  # both do so, as nobody knows who is first
        except OSError:
            pass  # it has become the command already
        for words in self._early:
            self._obey(words)

    def _see_host(self, leader: Leader, like: Like) -> None:
        from . import host_view

        kernel.adopt_orphans()
        view = host_view.View()
        kernel.enter(leader.pid, leader.pidfd, kernel.NEWNS)
        self._installers = view.show(leader.pid, like.bounding)

    def _give_up(self, error: Exception) -> NoReturn:
        self.refuse(error)
        os._exit(EXIT_FAILURE)

    def _tell(self, text: str, *fds: int) -> None:
        try:
            send(self._messages, text.encode(), *fds)
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
        if order.typed:
            while (words := self._words()) and words != ["typed"]:
                self._early.append(words)
        os.close(master)
        for fd in range(3):
            if fd in order.streams:
                os.dup2(self._slave, fd)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._messages.fileno(), select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        if self._installers is not None and self._installers.fileno() >= 0:
            poll.register(self._installers.fileno(), select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if self._installers is not None and fd == self._installers.fileno():
                    self._installers.follow()
                elif fd == self._woken:
                    os.read(self._woken, 4096)
                    self._report()
                else:
                    self._obey(self._words())

    def _words(self) -> list[str]:
        """Return the next message of toy's, none if that has ended."""
        return receive(self._messages)[0].decode().split()

    def _report(self) -> None:
        pid, status = os.waitpid(self._command, os.WNOHANG | os.WUNTRACED) if self._command else (0, 0)
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            self._tell(f"stopped {os.WSTOPSIG(status)}")
        else:
            self._command = 0
            self._tell(f"ended {status}")
            if self._slave is None and self._group is None:
                os._exit(0)  # toy has nothing more to say, and waits for this end: 0.3 ms

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["signal", number]:
                self._kill(int(number))
            case ["continue", where]:
                self._move(where)
                self._kill(_signal.SIGCONT)
                self._tell("continued")
            case []:  # toy has ended: if it was killed, the command gets what it would get if its terminal was gone
                self._kill(_signal.SIGHUP)
                self._kill(_signal.SIGCONT)
                if self._group is not None:
                    from . import guard

                    guard.end_children()  # in case the guard was killed
                os._exit(0)

    def _move(self, where: str) -> None:
        """Move the command to the foreground or the background of its terminal."""
        if self._slave is not None and self._command:
            try:
                os.tcsetpgrp(self._slave, self._command if where == FOREGROUND else os.getpgrp())
            except OSError:
                pass  # it has ended, or toy with the other side of the terminal

    def _kill(self, number: int) -> None:
        try:
            if self._command:
                os.killpg(self._command, number)
        except ProcessLookupError:
            pass

    def _execute(self, order: Order, like: Like, mask: Iterable[int]) -> None:
        """Become the command."""
        try:
            os.setpgid(0, 0)
            if self._group is not None:
                self._group.enter()
            if self._slave is not None and order.where == FOREGROUND:
                os.tcsetpgrp(self._slave, os.getpid())  # SIGTTOU is blocked
            like.become()
        except Exception as error:
            self._give_up(error)
        environment = like.environment | {
            name: value for name, value in order.environment.items() if f"${name}" not in like.settings
        }
        try:
            command, file = login.command(order.command, like.shell, like.uid, environment)
            login.change_directory(
                order.directory if like.directory is None else like.directory, environment.get("HOME", "/")
            )
            _reset_signals()
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            process.become(file, command, environment)
        except OSError as error:
            self._tell(f"failed {error.errno}")
            os._exit(126)


def _reset_signals() -> None:
    """Have signals do what they do to a new program: a handler of Python's would take those that are on the way."""
    _signal.set_wakeup_fd(-1)
    for number in _signal.valid_signals():
        if number in _IGNORED or callable(_signal.getsignal(number)):
            _signal.signal(number, _signal.SIG_DFL)


def _ignore(_number: int, _frame: object) -> None:
    pass


def _show_display() -> None:
    """Have the sockets of X servers where X clients look for them."""
    try:
        os.symlink(f"{HOST}{_DISPLAYS}", _DISPLAYS)
    except OSError:
        pass  # there is one already, perhaps the administrator's
