# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of the kernel that Python lacks, or has only in later versions. Each raises OSError.

The numbers are from the kernel's headers: linux/sched.h, linux/prctl.h, linux/mount.h, linux/fcntl.h,
linux/capability.h, linux/inotify.h, asm-generic/unistd.h.

Every session does some of these calls, and to import ctypes takes 1.1 of the 12.7 ms that it takes to join a machine
(least of 250 runs in turns, Python 3.11). So this module uses what ctypes is made of.
"""

from __future__ import annotations

import errno
import os
import sys
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_USE_ERRNO, CFuncPtr, _SimpleCData, dlopen, dlsym, get_errno


class _Int(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Long(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Int


_LIBC = dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = (
    *(0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000),
)
"""Namespaces: mount, cgroup, UTS, IPC, PID and network."""

_SET_KEEPCAPS, _CAPBSET_DROP, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 8, 24, 36, 38
_CAP_AMBIENT, _CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3, _MOST_CAPABILITIES = 0x20080522, 64

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_RDONLY, _NOSUID, _NODEV, _BIND, _REC, _SLAVE = 0x1, 0x2, 0x4, 0x1000, 0x4000, 0x80000

_DETACH, _NOFOLLOW = 0x2, 0x8

_FSPICK, _FSCONFIG = 433, 431
_FSPICK_CLOEXEC, _FSPICK_SYMLINK_NOFOLLOW, _FSCONFIG_CMD_RECONFIGURE = 1, 2, 7
_IN_CREATE, _IN_MOVED_TO = 0x100, 0x80


def join(namespaces: int, kinds: int) -> None:
    """Move this process into the namespaces of these kinds that the process of a pidfd is in, see setns(2).

    The PID namespace is that of children alone.
    """
    _call("setns", namespaces, kinds)


def enter(pid: int, pidfd: int, kinds: int) -> None:
    """Join namespaces of these kinds, the mount namespace among them, and have the root directory of that process."""
    # The root of a mount namespace is another one, where toy itself runs in a chroot(2).
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_CLOEXEC)
    join(pidfd, kinds)
    os.fchdir(root)
    os.chroot(".")
    os.close(root)


def leave(kinds: int) -> None:
    """Give this process namespaces of these kinds of its own, see unshare(2)."""
    _call("unshare", kinds)


def bound_capabilities(kept: int) -> None:
    """Leave in the bounding set no capabilities but those in a mask, as /proc/PID/status has it."""
    for number in range(_MOST_CAPABILITIES):
        if not kept >> number & 1:
            try:
                _call("prctl", _CAPBSET_DROP, number, 0, 0, 0)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # this kernel has no more of them
                raise


def keep_capabilities() -> None:
    """Keep the permitted capabilities when this process becomes another user's, see prctl(2)."""
    _call("prctl", _SET_KEEPCAPS, 1, 0, 0, 0)


def set_capabilities(*, permitted: int, inheritable: int, ambient: int) -> None:
    """Set the capabilities of this process to masks, as /proc/PID/status has them, see capabilities(7)."""
    masks = (permitted, permitted, inheritable)  # the first is what is effective
    words = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in masks]
    _call("capset", _packed(4, _CAPABILITY_VERSION_3, 0), _packed(4, *words))
    for number in range(ambient.bit_length()):
        if ambient >> number & 1:
            _call("prctl", _CAP_AMBIENT, _CAP_AMBIENT_RAISE, number, 0, 0)


def forbid_new_privileges() -> None:
    """Set no_new_privs, see prctl(2)."""
    _call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def set_personality(value: int) -> None:
    """Set the execution domain of this process, see personality(2)."""
    _call("personality", _Long(value))


def tree(path: str, *, read_only: bool) -> int:
    """Return a descriptor of a copy of the mounts at a path and below it, which is mounted nowhere yet.

    What is mounted there later shows in the copy, but not the reverse. Takes Linux 5.12.
    """
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    fd = _system_call("open_tree", _OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)
    attributes = _packed(8, _RDONLY if read_only else 0, 0, _SLAVE, 0)  # to set, to clear, propagation, user namespace
    how = _AT_EMPTY_PATH | _AT_RECURSIVE
    try:
        _system_call("mount_setattr", _MOUNT_SETATTR, fd, b"", how, attributes, _Long(len(attributes)))
    except OSError:
        os.close(fd)
        raise
    return fd


def forget_names(mount_point: str) -> None:
    """Have a mounted file system look up anew each name that nobody uses: what a remount without a change does."""
    fd = _system_call(
        "fspick", _FSPICK, _AT_FDCWD, os.fsencode(mount_point), _FSPICK_CLOEXEC | _FSPICK_SYMLINK_NOFOLLOW
    )
    try:
        _system_call("fsconfig", _FSCONFIG, fd, _FSCONFIG_CMD_RECONFIGURE, None, None, 0)
    finally:
        os.close(fd)


def watch(*directories: str) -> int:
    """Return a descriptor from which inotify(7) events can be read, without blocking, when a name in one is made."""
    fd = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
    for directory in directories:
        _call("inotify_add_watch", fd, os.fsencode(directory), _IN_CREATE | _IN_MOVED_TO)
    return fd


def mount_tree(fd: int, target: str) -> None:
    """Mount what `tree` returned."""
    _system_call("move_mount", _MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)


def mount_new(source: str, target: str, kind: str, *, data: str = "") -> None:
    """Make a new file system show at a path, without setuid programs and devices, see mount(2)."""
    flags = _Long(_NOSUID | _NODEV)
    _call("mount", os.fsencode(source), os.fsencode(target), os.fsencode(kind), flags, os.fsencode(data))


def bind(source: str, target: str) -> None:
    """Have a file or directory show at another path as well."""
    _call("mount", os.fsencode(source), os.fsencode(target), None, _Long(_BIND), None)


def unmount_tree(path: str) -> None:
    """Remove what is mounted at a path, with all below it, from this mount namespace."""
    _call("umount2", os.fsencode(path), _DETACH | _NOFOLLOW)


def make_slave(path: str) -> None:
    """Have nothing that is mounted at a path or below it show in another mount namespace, but the reverse."""
    _call("mount", None, os.fsencode(path), None, _Long(_REC | _SLAVE), None)


def adopt_orphans() -> None:
    """Become the parent of each descendant whose parent ends, see prctl(2)."""
    _call("prctl", _SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _call(name: str, *arguments: object) -> int:
    result = int(_Function(dlsym(_LIBC, name))(*arguments))
    if result == -1:
        _fail(name)
    return result


def _system_call(name: str, number: int, *arguments: object) -> int:
    result = int(_Function(dlsym(_LIBC, "syscall"))(_Long(number), *arguments))
    if result == -1:
        _fail(name)
    return result


def _packed(size: int, *values: int) -> bytes:
    """Return unsigned numbers of that many bytes as C has them in an array or a struct."""
    return b"".join(value.to_bytes(size, sys.byteorder) for value in values)


def _fail(name: str) -> None:
    number = get_errno()
    raise OSError(number, f"{name}: {os.strerror(number)}")
