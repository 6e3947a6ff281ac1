# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows the host's root in a machine that is up, at `machine.HOST`, read-only, with all that is mounted in it.

What is mounted on the host later shows there as well; what is unmounted there is not held.
"""

from __future__ import annotations

import errno
import os

from .. import process
from ..host import mounted
from ..machine import HOST
from ..sessions import kernel


def show(pid: int, pidfd: int) -> None:
    """Mount the host's root in the machine whose first process this is. Raises OSError."""
    tree = kernel.tree("/", read_only=True)
    there, here = os.pipe2(os.O_CLOEXEC)
    with open(there, "rb") as answer:
        try:
            child = process.fork(lambda: _mount(tree, pid, pidfd, here))
        finally:
            os.close(here)
            os.close(tree)
        number, _, what = os.fsdecode(answer.read()).partition(" ")
    _, status = os.waitpid(child, 0)
    if number or status:
        raise OSError(int(number or errno.EIO), what or os.strerror(errno.EIO))


def _mount(tree: int, pid: int, pidfd: int, answer: int) -> None:
    try:
        # What systemd-nspawn mounted for machinectl(1) would be in the table of mounts, and not be found there.
        points = [point for _, _, _, point, _, _ in mounted.table(pid)]
        covered = [point for point in reversed(points) if mounted.is_in(point, (HOST,)) and point != HOST]
        kernel.enter(pid, pidfd, kernel.NEWNS)
        for point in covered:
            try:
                kernel.unmount_tree(point)
            except OSError:
                pass  # it lay in another one
        kernel.mount_tree(tree, HOST)
    except OSError as error:
        os.write(answer, os.fsencode(f"{error.errno} {error.strerror}"))
