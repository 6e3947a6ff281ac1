# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters of system calls, as NAME.nspawn may ask for: read from one process, and given to another. See seccomp(2).

The numbers are from linux/ptrace.h, linux/prctl.h and linux/seccomp.h. Each function raises OSError.
"""

from __future__ import annotations

import ctypes
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)

_PTRACE_SEIZE, _PTRACE_INTERRUPT, _PTRACE_DETACH, _PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420C
_SET_SECCOMP, _MODE_FILTER = 22, 2
_INSTRUCTION = 8
"""Bytes of a struct sock_filter."""

_ATTEMPTS, _TICK = 1000, 0.005
"""Attempts to trace a process that another one traces, and seconds between two."""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def of_process(pid: int) -> list[bytes]:
    """Return the programs that filter the system calls of a process, the latest first, see seccomp(2).

    If another process traces it, as another session may be doing just now, this waits for a moment. To be called in the
    process's PID namespace.
    """
    filters: list[bytes] = []
    for left in reversed(range(_ATTEMPTS)):
        try:
            _ptrace(_PTRACE_SEIZE, pid, 0, None)
            break
        except PermissionError:
            if not left:
                raise
            time.sleep(_TICK)
    try:
        _ptrace(_PTRACE_INTERRUPT, pid, 0, None)
        os.waitpid(pid, 0x40000000)  # __WALL: it is nobody's child that we started
        try:
            while True:
                size = _ptrace(_PTRACE_SECCOMP_GET_FILTER, pid, len(filters), None)
                program = ctypes.create_string_buffer(size * _INSTRUCTION)
                _ptrace(_PTRACE_SECCOMP_GET_FILTER, pid, len(filters), program)
                filters.append(program.raw)
        except FileNotFoundError:
            return filters
    finally:
        _ptrace(_PTRACE_DETACH, pid, 0, None)


def apply(programs: Iterable[bytes]) -> None:
    """Filter the system calls of this process by these programs, the latest first."""
    for program in reversed(list(programs)):
        content = ctypes.create_string_buffer(program, len(program))
        whole = _Program(len(program) // _INSTRUCTION, ctypes.addressof(content))
        if _LIBC.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(whole), 0, 0):
            _fail("prctl")


def _ptrace(request: int, pid: int, address: int, data: object) -> int:
    ctypes.set_errno(0)
    function = _LIBC.ptrace
    function.restype = ctypes.c_long
    result = int(function(ctypes.c_long(request), pid, ctypes.c_void_p(address), data))
    if result == -1 and ctypes.get_errno():
        _fail("ptrace")
    return result


def _fail(name: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, f"{name}: {os.strerror(number)}")
