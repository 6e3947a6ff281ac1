# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts confined processes, in which librpm and SQLite read what root in an overlay may have made.

A confined process runs as a user that no account has. It sees the host's tree read-only, without /home, /proc, /run,
/var and the like; it cannot gain privileges, has no network, and has limits of memory and time. It can write only in
the directory that it is given. What it is asked and answers goes through `wire`.
"""

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from .. import process
from ..errors import EXIT_FAILURE, ToyError
from ..host.mounted import is_in, is_local, visible

UID = 1_900_000_000 + os.getpid()
"""User and group number of confined processes: no account's, and in no range to allocate (systemd, docs/UIDS-GIDS.md).

Each toy has another one: else somebody who takes that number in an overlay could use up its limit of processes.
"""

MEMORY = 2 << 30
_LARGEST_FILE = 8 << 30
_TEMPORARY = 3 << 29
"""Bytes of each tmpfs: for a copied database, and for what SQLite may have to roll back."""
_PROCESSES = 64

_SHOWN = ("/etc", "/opt", "/usr")
"""Directories below which mounts are shown: programs lie there, and what they read."""

_HIDDEN = ("dev", "home", "proc", "root", "run", "srv", "sys", "tmp", "var")
"""Directories in the root that are hidden: sockets lie there, and what a confined process has no business with."""

_ROOT = "/run"
"""Where the tree of the process is mounted, in its own mount namespace: a directory that always exists."""

# From the kernel's headers: linux/sched.h, linux/mount.h, linux/fcntl.h, asm-generic/unistd.h, linux/prctl.h.
_NEWPID = 0x20000000
_NAMESPACES = 0x20000 | 0x4000000 | 0x8000000 | 0x40000000
"""Mount, UTS, IPC and network."""
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 0x1, 0x2, 0x4, 0x20, 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS = 1, 38


class Place(NamedTuple):
    """Directories of ours that a confined process has as well, at the same paths."""

    writable: str | None = None
    """A directory that the process may write in; it must have been handed over (`hand_over`)."""
    shown: str | None = None
    """A directory that the process sees with the content that `show` gives it."""
    show: Callable[[int, str], None] | None = None
    """Called with a descriptor of `shown` and the path of an empty directory, which it fills. It runs as root, in the
    namespaces of the process; what it mounts ends with them. Raises ToyError, OSError."""


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def start(
    action: Callable[[ToyError | None], None], place: Place, *, fds: Sequence[int], cpu_seconds: int, seconds: int = 0
) -> int:
    """Start a process that confines itself and then calls `action`, and return its process number.

    `action` gets None, or the error if the process could not be confined; then it must do nothing but report that. Of
    our descriptors the process keeps only `fds`. It may use `cpu_seconds` of CPU time, and is killed after `seconds`,
    unless that is 0. Once it is waited for, all that it started has ended.
    """
    unshared: ToyError | None = None

    def init() -> NoReturn:
        """Run as first process of the PID namespace: once it has ended and is waited for, no other is left there."""
        _call("prctl", _SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        problem = unshared or _attempt(lambda: _call("unshare", _NAMESPACES))
        if problem is not None:
            action(problem)
            os._exit(EXIT_FAILURE)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(EXIT_FAILURE))  # root's: the confined cannot stop it
        signal.alarm(seconds)
        _end_as(process.fork(lambda: action(_attempt(lambda: _enter(place, fds, cpu_seconds)))))

    with open("/proc/self/ns/pid", "rb") as ours:
        try:
            unshared = _attempt(lambda: _call("unshare", _NEWPID))
            return process.fork(init)
        finally:
            if unshared is None:
                _call("setns", ours.fileno(), _NEWPID)


def _end_as(child: int) -> NoReturn:
    """Wait for a child, and exit with its status."""
    _close_all_but(())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(128 - status if status < 0 else status)


def _attempt(step: Callable[[], None]) -> ToyError | None:
    try:
        step()
    except ToyError as error:
        return error
    except OSError as error:
        what = f"cannot confine the process that reads rpm databases: {error}"
        return ToyError(what, "see if the kernel is Linux 5.12 or later: uname -r")
    return None


def _enter(place: Place, fds: Sequence[int], cpu_seconds: int) -> None:
    """Confine this process, which is in namespaces of its own already, for good."""
    _detach(fds)
    shown = None if place.shown is None else os.open(place.shown, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    _mount_tree()
    if place.writable is not None:
        os.makedirs(_ROOT + place.writable)
        _mount(place.writable, _ROOT + place.writable, flags=_BIND)
    if place.shown is not None and shown is not None and place.show is not None:
        os.makedirs(_ROOT + place.shown)
        place.show(shown, _ROOT + place.shown)
        os.close(shown)
    os.chroot(_ROOT)
    os.chdir("/")
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NPROC, _PROCESSES),
    ):
        resource.setrlimit(limit, (most, most))
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)  # and with root go the capabilities
    _call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", _SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of the user unsets it


def bind_read_only(name: str, source: int, target: str) -> None:
    """Mount a file of a directory, given by its descriptor, read-only in the one that `Place.show` fills, by path."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=source)
    os.close(os.open(f"{target}/{name}", os.O_WRONLY | os.O_CREAT, 0o600))
    _mount(f"/proc/self/fd/{fd}", f"{target}/{name}", flags=_BIND)
    _mount(None, f"{target}/{name}", flags=_BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)
    os.close(fd)


def _detach(fds: Sequence[int]) -> None:
    """Keep no descriptors but `fds`, ignore signals that are meant for the parent process, and end when it ends."""
    _call("prctl", _SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides what they do
    null = os.open(os.devnull, os.O_RDWR)
    _close_all_but((*fds, null))
    for fd in {0, 1, 2}.difference(fds):
        os.dup2(null, fd)
    os.close(null)


def _close_all_but(fds: Sequence[int]) -> None:
    first = 0
    for fd in (*sorted(fds), 2**31 - 1):  # the limit on descriptors may have been lowered since they were opened
        os.closerange(first, fd)
        first = fd + 1


def _mount_tree() -> None:
    """Mount on _ROOT what the process may see of the host."""
    _mount(None, "/", flags=_REC | _PRIVATE)
    _mount("/", _ROOT, flags=_BIND)
    for point, source, kind in sorted(visible()):
        if is_in(point, _SHOWN) and is_local(source, kind):  # a server that does not answer would make us wait
            with contextlib.suppress(FileNotFoundError):  # it lies in a mount that is not shown
                _mount(point, _ROOT + point, flags=_BIND)
    attributes = _MountAttributes(_RDONLY | _NOSUID | _NODEV)
    size = ctypes.sizeof(attributes)
    _call("syscall", _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(_ROOT), _AT_RECURSIVE, ctypes.byref(attributes), size)
    for name in _HIDDEN:
        if os.path.isdir(f"{_ROOT}/{name}") and not os.path.islink(f"{_ROOT}/{name}"):
            # SQLite needs a place for what it may have to roll back.
            data = f"mode={1777 if name == 'tmp' else 755},size={_TEMPORARY},nr_inodes=1k"
            _mount("toy", f"{_ROOT}/{name}", kind="tmpfs", flags=_NOSUID | _NODEV, data=data)
    with open(f"{_ROOT}{os.devnull}", "xb"):
        _mount(os.devnull, f"{_ROOT}{os.devnull}", flags=_BIND)


def _mount(source: str | None, target: str, *, kind: str | None = None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _call("mount", *words[:3], ctypes.c_ulong(flags), words[3])


def _call(name: str, *arguments: object) -> None:
    """Call a function of libc that returns 0, or else sets errno. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def hand_over(directory: str) -> None:
    """Make UID, the user of confined processes, the owner of a directory of ours and of the files in it."""
    with os.scandir(directory) as entries:
        for entry in entries:
            os.chown(entry.path, UID, UID, follow_symlinks=False)
    os.chown(directory, UID, UID, follow_symlinks=False)


def take_back(directory: str) -> None:
    """Make root the owner of a directory that was handed over, and of its regular files, of mode 0644; remove the rest.

    The confined processes that could write in it have ended.
    """
    os.chown(directory, 0, 0)
    with os.scandir(directory) as entries:
        for entry in list(entries):
            if entry.is_file(follow_symlinks=False):
                os.chown(entry.path, 0, 0, follow_symlinks=False)
                os.chmod(entry.path, 0o644)
            elif entry.is_dir(follow_symlinks=False):
                process.run(["rm", "-rf", "--one-file-system", "--", entry.path])
            else:
                os.unlink(entry.path)
