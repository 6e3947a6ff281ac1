# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine is entered: the command line, with what of the host's is shared."""

import os
import pwd

from . import layers, mounts, nspawn
from .machine import OWN_BASE, Machine
from .seen import Seen


def command_line(machine: Machine, stands: Seen, command: list[str]) -> list[str]:
    """Return the command line that runs `command`, or a shell if it is empty, in a machine that is prepared."""
    spawn = nspawn.command_line(
        machine.name,
        machine.mount_point,
        command,
        binds=[
            nspawn.bind(machine.rpmdb, os.path.realpath(stands.dbpath)),
            nspawn.bind(machine.var, "/var"),
            *map(nspawn.bind, _homes()),
        ],
        read_only_binds=[*map(nspawn.bind, _name_resolution()), *_base(machine)],
        environment=dict(os.environ),
    )
    overlays = layers.overlays(machine, stands.lower, without=os.path.realpath(stands.dbpath))
    return mounts.in_own_namespaces(spawn, overlays, merged=machine.mount_point, table=machine.mounts)


def _base(machine: Machine) -> list[str]:
    """Return what shows a machine from inside what of it is its own; there is none yet if it was never entered."""
    return [nspawn.bind(machine.base, OWN_BASE)] if os.path.exists(machine.base) else []


def _homes() -> list[str]:
    """Return root's home and that of the user who called sudo, pkexec or su."""
    uids = ["0", os.environ.get("SUDO_UID", ""), os.environ.get("PKEXEC_UID", "")]
    try:
        with open("/proc/self/loginuid") as file:
            uids.append(file.read().strip())
    except OSError:
        pass  # a kernel without audit
    homes: list[str] = []
    for uid in dict.fromkeys(filter(str.isdecimal, uids)):
        try:
            home = os.path.normpath(pwd.getpwuid(int(uid)).pw_dir)
        except KeyError:
            continue
        if os.path.isdir(home) and home != "/" and not any(f"{home}/".startswith(f"{other}/") for other in homes):
            homes.append(home)
    return homes


def _name_resolution() -> list[str]:
    """Return the directory below /run that /etc/resolv.conf leads to, if it does: the overlay has a /run of its own."""
    target = os.path.realpath("/etc/resolv.conf")
    return [os.path.dirname(target)] if target.startswith("/run/") and os.path.exists(target) else []
