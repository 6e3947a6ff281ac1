# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the command line that enters a machine, and the files that belong to it.

It decides what of the host is bound into the overlay. The parts come from `homes`, `netshared`, `scriptlets`, `layers`,
`mounts` and `nspawn`.
"""

from __future__ import annotations

import os

from ..errors import ToyError
from ..host import homes
from ..host.mounted import Mounted
from ..machine import HEADERS, OWN_BASE, Machine, mount_source
from ..sessions import environment
from . import layers, mounts, netshared, nspawn, scriptlets
from .fingerprint import Fingerprint
from .limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTINGS = ("/etc/systemd/nspawn", "/run/systemd/nspawn")
"""Where systemd-nspawn looks for a machine's settings, see systemd.nspawn(5)."""

_TEMPORARY = "/tmp"  # noqa: S108
"""A directory that nspawn gets an empty one for: that of systemd 262 leaves something there when it is killed."""


class Invocation:
    """A command line for a machine that is prepared, and the files that it needs. Nothing is written until `write`."""

    def __init__(
        self, machine: Machine, stands: Fingerprint, command: list[str] | None, *, own_options: Sequence[str] = ()
    ) -> None:
        """Build the command line that starts a machine for sessions, or with a `command` one that runs only that there.

        The latter is a command of toy's own, with more options for systemd-nspawn, and cannot write to homes. The
        former gets the administrator's settings for the machine, and prints which of the host's mounts are read-only or
        missing there, if that changed. Raises ToyError if toy cannot follow the settings, or no overlay can be made of
        the upper.
        """
        is_own = command is not None
        self.settings: list[str] = []
        """The names of the administrator's settings, and $NAME for each variable that they set."""
        self.environment = nspawn.ENVIRONMENT
        """What to add to the environment of the command line."""
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
        # Packages' configuration, not a person, says what toy's own commands do, so these must not write to homes.
        (read_only_binds if is_own else binds).extend(map(nspawn.bind, shared))
        file = None if is_own else _settings_file(machine)
        if file is None:
            variables = environment.of_caller(os.environ) if is_own else ()
            self.environment = self.environment if is_own else self.environment | nspawn.WITHOUT_FILTERS
            spawn = nspawn.command_line(
                machine.name, machine.mount_point, command,
                binds=binds, read_only_binds=read_only_binds, variables=variables, options=own_options,
                hostname=_hostname(), late_options=stands.late_options,
            )  # fmt: skip
            private = [_TEMPORARY]
        else:
            from . import settings

            given = settings.Settings(file)
            self.settings = [*given.names, *(f"${name}" for name in given.variables)]
            if not nspawn.FILTERING & given.names:
                self.environment = self.environment | nspawn.WITHOUT_FILTERS
            self._settings = given.extended(
                binds=binds,
                read_only_binds=read_only_binds,
                own=("/run", "/var", dbpath, f"/{HEADERS}"),
                untouched=(dbpath, f"/{HEADERS}"),
            )
            spawn = nspawn.command_line(
                machine.name, machine.mount_point, command,
                settings=given.names, hostname=_hostname(), late_options=stands.late_options,
            )  # fmt: skip
            spawn = given.replaced(machine.settings, spawn)
            # The settings may bind something in it, such as the socket of an X server.
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
            limits=None if is_own else Limits(machine, hidden=mounted.hidden),
        )

    def write(self) -> None:
        """Write the files that the command line names, and make the directories that the overlays need."""
        for file in self._macros:
            with _Named(file.path):
                file.write()
        if self._settings is not None:
            from . import settings

            with _Named(self._machine.settings):
                settings.write(self._machine.settings, self._settings)
        layers.make_directories(self._overlays)
        with (
            _Named(self._machine.mounts),
            open(self._machine.mounts, "w", encoding="utf-8", errors="surrogateescape") as table,
        ):
            table.write(self._table)


class _Named:
    """A context that gives an OSError the path of the file that is written: write(2) names none."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = self._path


def _base(machine: Machine) -> list[tuple[str, str]]:
    """Return source and target of the base's mount, by which toy in the machine tells the machine's own packages.

    There is no base yet if the machine was never entered.
    """
    return [(machine.base, OWN_BASE)] if os.path.exists(machine.base) else []


def _settings_file(machine: Machine) -> str | None:
    """Return the path of the administrator's settings, or None. Raises ToyError for a file that nspawn distrusts."""
    for folder in _SETTINGS:
        path = f"{folder}/{machine.name}.nspawn"
        if os.path.exists(path):
            return path if os.path.isfile(path) else None  # a link to /dev/null, say, hides those in other places
    beside = f"{machine.mount_point}.nspawn"
    if os.path.exists(beside):
        move = f"mkdir -p {_SETTINGS[0]} && mv {beside} {_SETTINGS[0]}"
        raise ToyError(
            f"systemd-nspawn ignores some settings in {beside}, since it does not trust that directory",
            f"move the file: {move}",
        )
    return None


def _hostname() -> str | None:
    """Return the host's name, which /etc/hosts and the like can resolve, or None if systemd-nspawn does not take it."""
    name = os.uname().nodename
    labels = name.split(".")
    is_valid = all(
        label.replace("-", "").replace("_", "").isalnum() and label[0] != "-" != label[-1] for label in labels
    )
    return name if is_valid and name.isascii() else None


def _name_resolution() -> list[str]:
    """Return the directory below /run that /etc/resolv.conf leads to, if it does: the overlay has a /run of its own."""
    target = os.path.realpath("/etc/resolv.conf")
    return [os.path.dirname(target)] if target.startswith("/run/") and os.path.exists(target) else []
