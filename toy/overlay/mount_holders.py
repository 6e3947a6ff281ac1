# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the processes that have an upper mounted: two mounts of one upper at once are undefined.

A killed launch takes a moment to end, so the next one waits for it. Mounts are recognised by the name of their
source. Anybody can mount an overlay under any name in a user namespace of his own; so a mount counts only where root
alone could have made it, in a mount namespace that belongs to our user namespace. A process of a launch may have made
itself such namespaces (bwrap(1), rootless podman), and have our mounts there: it counts by its PID namespace, which is
the launch's, or lies in it.
"""

import fcntl
import itertools
import os
import time
from collections.abc import Iterator

from ..errors import ToyError
from ..machine import mount_source

_USERNS = 0xB701
_PARENT = 0xB702
"""NS_GET_USERNS and NS_GET_PARENT, see ioctl_ns(2)."""


def wait_until_unused(upper: str, *, seconds: float = 10) -> None:
    """Wait until no process has the upper mounted. Raises ToyError, naming one, if that takes more than `seconds`."""
    deadline = time.monotonic() + seconds
    while pids := holders(upper):
        if time.monotonic() > deadline:
            next_step = f"see what it is, end it, and try again: ps {pids[0]}; kill {pids[0]}"
            raise ToyError(f"{upper} is still mounted by process {pids[0]}", next_step)
        time.sleep(0.01)


def holders(upper: str) -> list[int]:
    """Return the PIDs of the processes whose mount namespace has an overlay with this upper."""
    name = f" overlay {mount_source(upper)} ".encode()  # after the type, see proc_pid_mountinfo(5)
    has_it: dict[str, bool] = {}
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            # Another user can make his mountinfo as long as he likes: it is not even read.
            if has_it.get(namespace, True) and _is_roots(pid):
                if namespace not in has_it:
                    with open(f"/proc/{pid}/mountinfo", "rb") as mounts:
                        has_it[namespace] = name in mounts.read()
                if has_it[namespace]:
                    found.append(int(pid))
        except OSError:
            continue  # it ended meanwhile
    return found


def _is_roots(pid: str) -> bool:
    """Say whether the mount namespace of a process, or a PID namespace of it below ours, belongs to our user namespace.

    Only root can have mounted anything in such a mount namespace, or have put a process into such a PID namespace.
    """
    ours = os.stat("/proc/self/ns/user")
    namespaces = itertools.chain(_mount_namespace(pid), _process_namespaces(pid))
    return any(_belongs_to(namespace, ours) for namespace in namespaces)


def _mount_namespace(pid: str) -> Iterator[int]:
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _process_namespaces(pid: str) -> Iterator[int]:
    """Yield descriptors of the PID namespaces that a process is in, from its own outwards, up to but without ours."""
    ours = os.stat("/proc/self/ns/pid")
    fd = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        while not os.path.samestat(os.fstat(fd), ours):
            yield fd
            around = fcntl.ioctl(fd, _PARENT)
            os.close(fd)
            fd = around
    except PermissionError:
        pass  # the next one outwards is not in ours
    finally:
        os.close(fd)


def _belongs_to(namespace: int, ours: os.stat_result) -> bool:
    """Say whether a namespace belongs to our user namespace, or to one around that."""
    try:
        owner = fcntl.ioctl(namespace, _USERNS)
    except PermissionError:
        return True
    try:
        return os.path.samestat(os.fstat(owner), ours)
    finally:
        os.close(owner)
