# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command and all that it starts, step by step, and does harm at one step. Needs ptrace(2), and x86-64.

A step is a call of the kernel that changes something on disk, or starts or moves a process. Unlike strace(1), which
counts for each process by itself, this counts the steps of all together, leaves out what only opens to read and what is
written to pipes, and can kill all at once. Run as a program, with an `Order` as JSON on stdin, it prints a `Report`.
"""

import ctypes
import errno
import json
import os
import signal
import struct
import sys
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from calls import CALLS, CAN_FAIL, NAMES, filter_program

KILL, KILL_ALL, ENOSPC, EIO, INT, TERM = "kill", "kill all", "ENOSPC", "EIO", "SIGINT", "SIGTERM"
FAULTS = (KILL, KILL_ALL, ENOSPC, EIO, INT, TERM)

TOY, INSIDE = "toy", "inside"
"""Whose step it is: that of toy and what it starts to prepare a machine, or that of what runs in the machine."""

_INSIDE = {"systemd-nspawn", "rpm", "zypper"}


class Step(NamedTuple):
    """One call, before it is made."""

    whose: str
    call: str
    path: str
    program: str

    def __str__(self) -> str:
        return f"{self.call} {self.path} by {self.program}"

    @property
    def can_fail(self) -> bool:
        """Say whether a disk that is full or broken can make it fail."""
        return self.call in CAN_FAIL and self.path.startswith(_DISK)


@dataclass
class Order:
    """What to run, and where to do what harm: at step `number`, from 1, of those of `whose`. 0 is no harm."""

    command: list[str]
    environment: dict[str, str]
    root: str = ""
    """What paths begin with, and is left out."""
    skip: int = 0
    """The number of programs that the first process executes before steps count."""
    after: str = ""
    """The name of a program; steps count once a process that executed it has ended."""
    fault: str = KILL
    whose: str = TOY
    number: int = 0
    patience: int = 60


@dataclass
class Report:
    """What happened."""

    status: int = -1
    steps: list[Step] = field(default_factory=list)
    struck: bool = False
    left: list[str] = field(default_factory=list)
    """The processes that were still there when patience was at its end; they were killed."""


_DISK = ("/var/lib/toy/", "/usr/lib/sysimage/rpm")
"""Where toy writes."""

# linux/prctl.h, linux/seccomp.h, linux/ptrace.h, asm/ptrace.h
_SET_SECCOMP, _MODE_FILTER = 22, 2
_CONT, _POKEUSER, _SEIZE, _LISTEN, _GET_SYSCALL_INFO, _GETEVENTMSG = 7, 6, 0x4206, 0x4208, 0x420E, 0x4201
_FORKED, _VFORKED, _CLONED, _EXECUTED, _SECCOMP, _STOPPED = 1, 2, 3, 4, 7, 128
_OPTIONS = 1 << _FORKED | 1 << _VFORKED | 1 << _CLONED | 1 << _EXECUTED | 1 << _SECCOMP | 1 << 20  # EXITKILL
_ORIG_RAX, _RAX = 15 * 8, 10 * 8
_WALL = 0x40000000
_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _ptrace(request: int, pid: int, address: int = 0, data: object = 0) -> None:
    function = _LIBC.ptrace
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = ctypes.c_long
    if function(request, pid, address, data) == -1 and ctypes.get_errno() != errno.ESRCH:
        raise OSError(ctypes.get_errno(), f"ptrace request {request}")


class _Stepper:
    def __init__(self, order: Order) -> None:
        self.order, self.report = order, Report()
        self.inside: dict[int, bool] = {}
        self.program: dict[int, str] = {}
        self.early: set[int] = set()
        """Those that stopped before it was heard that they were forked."""
        self.counts = not order.skip and not order.after
        self.executed = 0
        self.number = 0
        self.is_over = False

    def run(self) -> Report:
        self.main = self._start()
        self.inside[self.main] = False
        signal.signal(signal.SIGALRM, self._late)
        signal.alarm(self.order.patience)
        while self.inside:
            pid, status = os.waitpid(-1, _WALL)
            if not os.WIFSTOPPED(status):
                self._ended(pid, status)
            else:
                if pid not in self.inside:
                    self.early.add(pid)
                    self._came(pid, self._parent(pid))
                if self.is_over:
                    os.kill(pid, signal.SIGKILL)
                else:
                    self._stopped(pid, os.WSTOPSIG(status), status >> 16)
        return self.report

    def _start(self) -> int:
        code = filter_program()
        ready, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.setpgid(0, 0)
            os.dup2(2, 1)  # the report goes to the other
            os.read(ready, 1)
            buffer = ctypes.create_string_buffer(code, len(code))
            program = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(buffer))
            if _LIBC.prctl(_SET_SECCOMP, _MODE_FILTER, program, 0, 0):
                os._exit(99)
            os.execvpe(self.order.command[0], self.order.command, self.order.environment)
        _ptrace(_SEIZE, pid, 0, _OPTIONS)
        os.close(go)
        return pid

    def _late(self, *_: object) -> None:
        self.report.left = sorted(f"{self._name(pid)} ({pid})" for pid in self.inside)
        self._kill_all()

    def _kill_all(self) -> None:
        self.is_over = True
        for pid in self.inside:
            _kill(pid, signal.SIGKILL)

    def _ended(self, pid: int, status: int) -> None:
        if pid == self.main:
            self.report.status = os.waitstatus_to_exitcode(status)
        if self.order.after and self.program.get(pid) == self.order.after:
            self.counts = True
        self.inside.pop(pid, None)

    def _came(self, pid: int, parent: int) -> None:
        self.inside[pid] = self.inside.get(parent, False)
        self.program.pop(pid, None)

    def _parent(self, pid: int) -> int:
        try:
            with open(f"/proc/{pid}/stat") as file:
                return int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return self.main

    def _name(self, pid: int) -> str:
        try:
            with open(f"/proc/{pid}/comm") as file:
                return file.read().strip()
        except OSError:
            return "?"

    def _stopped(self, pid: int, number: int, event: int) -> None:
        if event in (_FORKED, _VFORKED, _CLONED):
            child = ctypes.c_ulong()
            _ptrace(_GETEVENTMSG, pid, 0, ctypes.addressof(child))
            if child.value not in self.early:
                self._came(child.value, pid)
            self.early.discard(child.value)
        elif event == _EXECUTED:
            self.program[pid] = self._name(pid)
            if self.program[pid] in _INSIDE:
                self.inside[pid] = True
            if pid == self.main and not self.order.after:
                self.executed += 1
                self.counts = self.executed >= self.order.skip
        elif event == _SECCOMP and self.counts:
            self._step(pid)
        elif event == _STOPPED and number in _STOPS:
            _ptrace(_LISTEN, pid)
            return
        _ptrace(_CONT, pid, 0, 0 if event else number)

    def _step(self, pid: int) -> None:
        step = self._read(pid)
        if step is None:
            return
        if self.number >= self.order.number > 0:
            return
        self.report.steps.append(step)
        fails = self.order.fault in (ENOSPC, EIO)
        if step.whose != self.order.whose or (fails and not step.can_fail):
            return
        self.number += 1
        if self.number != self.order.number:
            return
        self.report.struck = True
        match self.order.fault:
            case "kill":
                _kill(pid, signal.SIGKILL)
            case "kill all":
                self._kill_all()
            case "SIGINT":
                try:
                    os.killpg(self.main, signal.SIGINT)
                except ProcessLookupError:
                    pass
            case "SIGTERM":
                _kill(self.main, signal.SIGTERM)
            case error:
                _ptrace(_POKEUSER, pid, _ORIG_RAX, ctypes.c_void_p(-1))
                _ptrace(_POKEUSER, pid, _RAX, ctypes.c_void_p(-getattr(errno, error)))

    def _read(self, pid: int) -> Step | None:
        """Return the step before which a process has stopped, or None if it does not count."""
        info = ctypes.create_string_buffer(88)
        _ptrace(_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
        number, *arguments = struct.unpack_from("=7Q", info, 24)
        name = NAMES.get(number)
        if name is None:
            return None
        call, path = CALLS[name], ""
        try:
            if call.path >= 0:
                path = self._text(pid, arguments[call.path])
            if call.at >= 0 and not path.startswith("/"):
                fd = ctypes.c_int(arguments[call.at] & 0xFFFFFFFF).value
                folder = os.readlink(f"/proc/{pid}/cwd" if fd == -100 else f"/proc/{pid}/fd/{fd}")
                path = f"{folder}/{path}" if path else folder
        except OSError:
            pass
        path = path.removeprefix(self.order.root)
        if path.startswith(_ELSEWHERE) or (call.at >= 0 and call.path < 0 and not path.startswith("/")):
            return None
        return Step(INSIDE if self.inside[pid] else TOY, name, path, self.program.get(pid) or self._name(pid))

    def _text(self, pid: int, address: int) -> str:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            found = memory.read(min(4096, 4096 - address % 4096))
            if b"\0" not in found:
                found += memory.read(4096)
            return os.fsdecode(found.partition(b"\0")[0])


_ELSEWHERE = ("/memfd:", "/dev/", "/proc/", "/sys/")


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    report = _Stepper(Order(**json.load(sys.stdin))).run()
    print(json.dumps(asdict(report)))
