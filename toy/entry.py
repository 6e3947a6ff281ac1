# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine is entered: the command line, with what of the host's is shared."""

import os
import pwd

from . import layers, mounts, nspawn, scriptlets
from .errors import ToyError
from .machine import HEADERS, Machine
from .seen import Seen

_SETTINGS = ("/etc/systemd/nspawn", "/run/systemd/nspawn")
"""Where systemd-nspawn looks for a machine's settings, see systemd.nspawn(5)."""


def command_line(
    machine: Machine, stands: Seen, command: list[str], *, own_binds: list[str] | None = None
) -> list[str]:
    """Return the command line that runs `command`, or a shell if it is empty, in a machine that is prepared.

    With `own_binds`, more values that `nspawn.bind` made, it is a command of toy's own: otherwise it gets what the
    administrator has set for the machine. Raises ToyError if that cannot be.
    """
    dbpath = os.path.realpath(stands.dbpath)
    binds = [nspawn.bind(machine.rpmdb, dbpath), nspawn.bind(machine.var, "/var"), *map(nspawn.bind, _homes())]
    read_only_binds = [*map(nspawn.bind, _name_resolution()), *(nspawn.bind(*each) for each in scriptlets.mounts())]
    variables = nspawn.passed_on(os.environ)
    file = _settings_file(machine) if own_binds is None else None
    if file is None:
        binds += own_binds or []
        spawn = nspawn.command_line(
            machine.name, machine.mount_point, command,
            binds=binds, read_only_binds=read_only_binds, variables=variables,
        )  # fmt: skip
    else:
        from . import settings

        given = settings.Settings(file)
        text = given.extended(
            binds=binds,
            read_only_binds=read_only_binds,
            environment={name: os.environ[name] for name in variables},
            own=("/var", dbpath, f"/{HEADERS}"),
        )
        settings.write(machine.settings, text)
        spawn = given.replaced(
            machine.settings,
            nspawn.command_line(machine.name, machine.mount_point, command, settings=given.names),
        )
    overlays = layers.overlays(machine, stands.lower, without=dbpath)
    return mounts.in_own_namespaces(spawn, overlays, merged=machine.mount_point, table=machine.mounts, run=machine.run)


def _settings_file(machine: Machine) -> str | None:
    """Return the administrator's settings for a machine. Raises ToyError for a file that nspawn does not trust."""
    for folder in _SETTINGS:
        path = f"{folder}/{machine.name}.nspawn"
        if os.path.exists(path):
            return path if os.path.isfile(path) else None  # a link to /dev/null, say, hides those in other places
    beside = f"{machine.mount_point}.nspawn"
    if os.path.exists(beside):
        raise ToyError(f"systemd-nspawn does not trust what {beside} says", f"move it: mv {beside} {_SETTINGS[0]}/")
    return None


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
