# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the command line that enters a machine, and the files that belong to it.

What of the host's is bound into the overlay is decided here. The parts come from `homes`, `netshared`, `scriptlets`,
`layers`, `mounts` and `nspawn`.
"""

import os

from ..errors import ToyError
from ..host import homes
from ..host.mounted import Mounted
from ..machine import HEADERS, OWN_BASE, Machine, mount_source
from . import layers, mounts, netshared, nspawn, scriptlets
from .fingerprint import Fingerprint
from .limits import Limits

_SETTINGS = ("/etc/systemd/nspawn", "/run/systemd/nspawn")
"""Where systemd-nspawn looks for a machine's settings, see systemd.nspawn(5)."""

_TEMPORARY = "/tmp"  # noqa: S108
"""nspawn is to have its own: killed, that of systemd 262 leaves something there."""


class Invocation:
    """A command line for a machine that is prepared, and the files that it needs. Nothing is written until `write`."""

    def __init__(
        self, machine: Machine, stands: Fingerprint, command: list[str], *, own_options: list[str] | None = None
    ) -> None:
        """Read how `command`, or a shell if it is empty, is run in a machine.

        With `own_options`, more for systemd-nspawn, it is a command of toy's own: otherwise it gets what the
        administrator has set for the machine, and says what of the host's is read-only or missing there, where that
        changed. Raises ToyError if that cannot be.
        """
        self._machine = machine
        dbpath = os.path.realpath(stands.dbpath)
        shared = homes.shared()
        self._macros = netshared.macro_files(machine, shared)
        self._settings: str | None = None
        binds = [nspawn.bind(machine.rpmdb, dbpath), nspawn.bind(machine.var, "/var")]
        read_only_binds = [
            *map(nspawn.bind, _name_resolution()),
            *(nspawn.bind(file.path, file.target) for file in self._macros),
            *(nspawn.bind(*each) for each in (*scriptlets.mounts(), *_base(machine))),
        ]
        # A package's configuration, not a person, says what toy's own commands do: they write to no home.
        (binds if own_options is None else read_only_binds).extend(map(nspawn.bind, shared))
        variables = nspawn.passed_on(os.environ)
        file = _settings_file(machine) if own_options is None else None
        if file is None:
            spawn = nspawn.command_line(
                machine.name, machine.mount_point, command,
                binds=binds, read_only_binds=read_only_binds, variables=variables, options=own_options or (),
                late_options=stands.late_options,
            )  # fmt: skip
            private = [_TEMPORARY]
        else:
            from . import settings

            given = settings.Settings(file)
            self._settings = given.extended(
                binds=binds,
                read_only_binds=read_only_binds,
                environment={name: os.environ[name] for name in variables},
                own=("/run", "/var", dbpath, f"/{HEADERS}"),
                untouched=(dbpath, f"/{HEADERS}"),
            )
            spawn = nspawn.command_line(
                machine.name, machine.mount_point, command, settings=given.names, late_options=stands.late_options
            )
            spawn = given.replaced(machine.settings, spawn)
            # The socket of an X server may be bound from it.
            private = [] if given.mentions(_TEMPORARY) else [_TEMPORARY]
        mounted = Mounted(without=dbpath)
        self._overlays = layers.overlays(machine, stands.lower, mounted)
        self.command, self._table = mounts.in_own_namespaces(
            spawn,
            self._overlays,
            source=mount_source(machine.overlay),
            merged=machine.mount_point,
            table=machine.mounts,
            run=machine.run,
            private=private,
            limits=Limits(machine, hidden=mounted.hidden) if own_options is None else None,
        )

    def write(self) -> None:
        """Write the files that the command line names, and make the directories that the overlays need."""
        for file in self._macros:
            file.write()
        if self._settings is not None:
            from . import settings

            settings.write(self._machine.settings, self._settings)
        layers.make_directories(self._overlays)
        with open(self._machine.mounts, "w", encoding="utf-8", errors="surrogateescape") as table:
            table.write(self._table)


def _base(machine: Machine) -> list[tuple[str, str]]:
    """Return what shows a machine from inside what of it is its own; there is none yet if it was never entered."""
    return [(machine.base, OWN_BASE)] if os.path.exists(machine.base) else []


def _settings_file(machine: Machine) -> str | None:
    """Return the administrator's settings for a machine. Raises ToyError for a file that nspawn does not trust."""
    for folder in _SETTINGS:
        path = f"{folder}/{machine.name}.nspawn"
        if os.path.exists(path):
            return path if os.path.isfile(path) else None  # a link to /dev/null, say, hides those in other places
    beside = f"{machine.mount_point}.nspawn"
    if os.path.exists(beside):
        move = f"mkdir -p {_SETTINGS[0]} && mv {beside} {_SETTINGS[0]}"
        raise ToyError(f"systemd-nspawn does not trust what {beside} says", f"move it: {move}")
    return None


def _name_resolution() -> list[str]:
    """Return the directory below /run that /etc/resolv.conf leads to, if it does: the overlay has a /run of its own."""
    target = os.path.realpath("/etc/resolv.conf")
    return [os.path.dirname(target)] if target.startswith("/run/") and os.path.exists(target) else []
