# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a launch, by the code that it began with."""

from __future__ import annotations

from ..errors import ToyError
from . import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine import Machine
    from .fingerprint import Fingerprint


def finish(machine: Machine, stands: Fingerprint, *, was_killed: bool) -> None:
    """Put what changed in a machine that has ended into its header set. An error is only printed.

    If somebody in it `was_killed`, something of a session with --host may have the overlay mounted still: then the
    machine stays marked as entered, so that the next launch looks.
    """
    from ..streams import say

    try:
        if fingerprint.of_machine(machine) != stands.machine:
            from . import cold

            cold.keep(machine, stands, say=say)
        if was_killed:
            from ..overlay import mount_holders

            if mount_holders.holders(machine.overlay):
                return
        fingerprint.leave(machine)
    except Exception as error:  # another toy may be on the disk by now: any error
        name = machine.name
        later = f"the package changes in machine {name} may not be in its header set yet"
        adopt = f"have them adopted: toy -n {name} -- true" if machine.root == "/" else "the next launch adopts them"
        say(f"{_said(error)}; {later}; {adopt}")


def load() -> None:
    """Import all that the end of a launch needs, while the machine is up.

    By the end, the host may have another version of toy, of rpm or of Python, or none: `transactional-update apply`
    mounts a new /usr over the running one, and a package can be removed.
    """
    try:
        from .. import debug
        from ..overlay import mount_holders  # noqa: F401, see `finish`
        from ..sessions import terminal  # noqa: F401, see `client`
        from . import cold

        cold.load()
        debug.load()
    except Exception:  # noqa: S110, the end says what it lacks, if it comes to need it
        pass


def _said(error: BaseException) -> str:
    try:
        from .. import debug, failure

        if debug.is_on():
            debug.trace(error)
        if isinstance(error, ToyError | OSError):
            return failure.explained(error).what
    except Exception:  # noqa: S110, see above
        pass
    return f"{type(error).__name__}: {error}"
