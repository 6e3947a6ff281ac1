# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine is entered: the command line, with what of the host's is shared."""

import os

from . import homes, layers, mounts, netshared, nspawn
from .machine import Machine
from .seen import Seen


def command_line(machine: Machine, stands: Seen, command: list[str]) -> list[str]:
    """Return the command line that runs `command`, or a shell if it is empty, in a machine that is prepared."""
    shared = homes.shared()
    macros = netshared.mounts(machine, shared)
    spawn = nspawn.command_line(
        machine.name,
        machine.mount_point,
        command,
        binds=[
            nspawn.bind(machine.rpmdb, os.path.realpath(stands.dbpath)),
            nspawn.bind(machine.var, "/var"),
            *map(nspawn.bind, shared),
        ],
        read_only_binds=[*map(nspawn.bind, _name_resolution()), *(nspawn.bind(*macro) for macro in macros)],
        environment=dict(os.environ),
    )
    overlays = layers.overlays(machine, stands.lower, without=os.path.realpath(stands.dbpath))
    return mounts.in_own_namespaces(spawn, overlays, merged=machine.mount_point, table=machine.mounts)


def _name_resolution() -> list[str]:
    """Return the directory below /run that /etc/resolv.conf leads to, if it does: the overlay has a /run of its own."""
    target = os.path.realpath("/etc/resolv.conf")
    return [os.path.dirname(target)] if target.startswith("/run/") and os.path.exists(target) else []
