# SPDX-License-Identifier: GPL-2.0-or-later
"""One launch of a machine, from its lock to its unlock.

A launch with nothing to do should cost no more than systemd-nspawn does. So what every launch goes through does without
the modules of the standard library that take a millisecond or more to import, such as contextlib, pathlib, re or typing
(tests/test_warm.py has the list). `prepare` brings the rest, where something is to be done.
"""

from __future__ import annotations

import gc
import os

from . import entry, mounts, nspawn, run, seen
from .errors import ToyError, typed
from .machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .seen import Seen

_CONTAINER = "/run/host/container-manager"
"""See https://systemd.io/CONTAINER_INTERFACE."""


def launch(name: str, command: list[str], *, say: Callable[[str], None], root: str = "/") -> int:
    """Run `command`, or a shell if it is empty, in the machine `name` over a root, and return its exit status.

    `say` takes a line for the user. Raises ToyError if it could not be started, or if what it changed in its rpm
    database could not be kept.
    """
    machine = Machine(name, root)
    if os.path.exists(_CONTAINER):
        raise ToyError("this is inside a machine or a container already", "leave it first")
    run.require("systemd-nspawn", "rpmdb", *mounts.TOOLS)
    with machine:
        stands = seen.recall(machine)
        if stands is None:
            mounts.wait_until_unused(machine.overlay)
            gc.disable()  # this does not live long enough for that to pay
            from . import copying

            ahead = copying.ahead(machine)
            from . import prepare

            stands = prepare.prepare(machine, ahead, say=say)
            stands.remember(machine)
        seen.enter(machine)
        status = _enter(machine, stands, command)
        if seen.of_machine(machine) != stands.machine:
            from . import prepare

            prepare.keep(machine, stands, say=say)
            stands.remember(machine)
        seen.leave(machine)
        return status


def _enter(machine: Machine, stands: Seen, command: list[str]) -> int:
    status, ready = run.supervised(entry.command_line(machine, stands, command), environment=nspawn.ENVIRONMENT)
    if ready:
        return status
    if status == mounts.MOUNT_FAILED:
        raise mounts.failure(machine.name, machine.overlay)
    raise ToyError(
        f"systemd-nspawn did not start machine {machine.name} (status {status})",
        f"see what it said above, or: TOY_DEBUG=1 {typed()}",
    )
