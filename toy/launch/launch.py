# SPDX-License-Identifier: GPL-2.0-or-later
"""One launch of a machine, from its lock to its unlock.

A launch with nothing to do should cost no more than systemd-nspawn does. So the modules that every launch imports do
without those of the standard library that take a millisecond or more to import, such as contextlib, pathlib, re or
typing (tests/host/test_warm.py has the list). If something has changed, `cold` imports the rest.

What that saves: signal takes 4.6 ms, socket 6.4 ms and typing 10 ms, while `_signal` and `_socket` take 0.2 ms at most,
and TYPE_CHECKING = False nothing (python3 -ISBs -c 'import NAME', least of 80 runs in turns, Python 3.11). A launch
takes about 80 ms.
"""

from __future__ import annotations

import gc
import os

from .. import process
from ..errors import ToyError, typed
from ..machine import Machine
from . import fingerprint, invocation, mounts, nspawn, supervise, tmpfiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CONTAINER = "/run/host/container-manager"
"""See https://systemd.io/CONTAINER_INTERFACE."""


def launch(
    name: str, command: list[str], *, say: Callable[[str], None], root: str = "/", etc: Sequence[str] = ()
) -> int:
    """Run `command`, or a shell if it is empty, in the machine `name` over a root, and return its exit status.

    `etc` are the layers of the root's /etc, if that is more than a directory in it. `say` takes a line for the user.
    Raises ToyError if the command could not be started. An error in adopting what it changed is only printed, so that
    its status is not lost: the next launch finds the changes in the machine's rpm database.
    """
    machine = Machine(name, root, etc)
    if os.path.exists(_CONTAINER):
        raise ToyError("this is inside a machine or a container already", "leave it first")
    process.require("systemd-nspawn", "rpmdb", *mounts.TOOLS)
    with machine:
        stands = fingerprint.recall(machine)
        if stands is None:
            from ..overlay import mount_holders

            mount_holders.wait_until_unused(machine.overlay)
            gc.disable()  # this process does not live long enough for garbage collection to pay
            from . import cold

            stands = cold.prepare(machine, say=say)
            stands.remember(machine)
        tmpfiles.follow(machine, stands, say=say)
        entry = invocation.Invocation(machine, stands, command)
        entry.write()
        fingerprint.enter(machine)
        try:
            status = _enter(machine, entry.command)
        except (ToyError, KeyboardInterrupt):
            fingerprint.leave(machine)  # the command was not started
            raise
        try:
            if fingerprint.of_machine(machine) != stands.machine:
                from . import cold

                with supervise.Interruptible():
                    cold.keep(machine, stands, say=say)
            fingerprint.leave(machine)
        except (Exception, KeyboardInterrupt) as error:  # another toy may be on the disk by now: any error
            later = f"the package changes in machine {name} may not be in its header set yet"
            adopt = f"have them adopted: toy -n {name} -- true" if root == "/" else "the next launch adopts them"
            say(f"{_said(error)}; {later}; {adopt}")
        return status


def _enter(machine: Machine, line: list[str]) -> int:
    status, ready = supervise.supervised(
        line, environment=nspawn.ENVIRONMENT, address=machine.notifications, meanwhile=_load_rest
    )
    if ready:
        return status
    if status == mounts.MOUNT_FAILED:
        raise mounts.failure(machine.name, machine.overlay)
    raise ToyError(
        f"systemd-nspawn did not start machine {machine.name} (status {status})",
        f"see what it said above, or: TOY_DEBUG=1 {typed()}",
    )


def _load_rest() -> None:
    """Import all that the end of a launch needs, while the payload is at work.

    By the end, the host may have another version of toy, of rpm or of Python, or none: `transactional-update apply`
    mounts a new /usr over the running one, and a package can be removed.
    """
    try:
        from .. import debug
        from . import cold

        cold.load()
        debug.load()
    except Exception:  # noqa: S110, the end says what it lacks, if it comes to need it
        pass


def _said(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    try:
        from .. import debug, failure

        if debug.is_on():
            debug.trace(error)
        if isinstance(error, ToyError | OSError):
            return failure.explained(error).what
    except Exception:  # noqa: S110, see above
        pass
    return f"{type(error).__name__}: {error}"
