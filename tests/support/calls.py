# SPDX-License-Identifier: GPL-2.0-or-later
"""The calls of the kernel that change something on disk, or start or move a process, and a filter for them: x86-64."""

import os
import struct
from typing import NamedTuple


class Call(NamedTuple):
    """One call: its number, and where its arguments say what it is about."""

    number: int
    path: int = -1
    """Which argument is the path, or -1."""
    at: int = -1
    """Which argument is the descriptor that a path is relative to, or that the call is about."""


CALLS = {
    "write": Call(1, at=0),
    "pwrite64": Call(18, at=0),
    "writev": Call(20, at=0),
    "sendfile": Call(40, at=0),
    "copy_file_range": Call(326, at=2),
    "ftruncate": Call(77, at=0),
    "fallocate": Call(285, at=0),
    "open": Call(2, path=0),
    "creat": Call(85, path=0),
    "openat": Call(257, path=1, at=0),
    "rename": Call(82, path=1),
    "renameat": Call(264, path=3, at=2),
    "renameat2": Call(316, path=3, at=2),
    "mkdir": Call(83, path=0),
    "mkdirat": Call(258, path=1, at=0),
    "rmdir": Call(84, path=0),
    "unlink": Call(87, path=0),
    "unlinkat": Call(263, path=1, at=0),
    "link": Call(86, path=1),
    "linkat": Call(265, path=3, at=2),
    "symlink": Call(88, path=1),
    "symlinkat": Call(266, path=2, at=1),
    "mknod": Call(133, path=0),
    "mknodat": Call(259, path=1, at=0),
    "chmod": Call(90, path=0),
    "fchmod": Call(91, at=0),
    "fchmodat": Call(268, path=1, at=0),
    "chown": Call(92, path=0),
    "fchown": Call(93, at=0),
    "lchown": Call(94, path=0),
    "fchownat": Call(260, path=1, at=0),
    "setxattr": Call(188, path=0),
    "lsetxattr": Call(189, path=0),
    "fsetxattr": Call(190, at=0),
    "removexattr": Call(197, path=0),
    "lremovexattr": Call(198, path=0),
    "fremovexattr": Call(199, at=0),
    "utimensat": Call(280, path=1, at=0),
    "fsync": Call(74, at=0),
    "fdatasync": Call(75, at=0),
    "syncfs": Call(306, at=0),
    "mount": Call(165, path=1),
    "umount2": Call(166, path=0),
    "move_mount": Call(429),
    "setns": Call(308),
    "unshare": Call(272),
    "pivot_root": Call(155, path=0),
    "execve": Call(59, path=0),
    "clone": Call(56),
    "clone3": Call(435),
    "fork": Call(57),
    "vfork": Call(58),
}
NAMES = {call.number: name for name, call in CALLS.items()}

_OPENING = {"open": 1, "openat": 2}
"""Which argument has the flags."""

CAN_FAIL = set(CALLS) - {
    *("mount", "umount2", "move_mount", "setns", "unshare", "pivot_root", "execve", "clone", "clone3", "fork", "vfork"),
    *("unlink", "unlinkat", "rmdir"),
}

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# linux/filter.h, linux/seccomp.h
_LOAD, _IS, _HAS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_X86_64 = 0xC000003E


def filter_program() -> bytes:
    """Return the program that has the kernel stop before each call of `CALLS`."""
    lines: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 4), (_IS, 1, 0, _X86_64), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_LOAD, 0, 0, 0)]
    for name, call in CALLS.items():
        if name in _OPENING:
            lines += [(_IS, 0, 4, call.number), (_LOAD, 0, 0, 16 + 8 * _OPENING[name]), (_HAS, 0, 1, _WRITES)]
            lines += [(_RETURN, 0, 0, _TRACE), (_RETURN, 0, 0, _ALLOW)]
        else:
            lines += [(_IS, 0, 1, call.number), (_RETURN, 0, 0, _TRACE)]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
