# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a launch, before and after the command, that are needed only if something changed.

They call the modules of `reconcile`. Those take 45 ms to import, so a copy of the host's database is begun before.
"""

from __future__ import annotations

import os

from .. import process
from ..database import copies
from ..errors import ToyError
from ..machine import RPMDB, database_below
from . import fingerprint, invocation, nspawn
from .fingerprint import Fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..machine import Machine

    Say = Callable[[str], None]


_PATIENCE = 300
"""Seconds that a command may take which brings something in the overlay in line: an index of all manual pages or fonts
takes a minute, and nobody sees what the launch is waiting for."""


def prepare(machine: Machine, *, say: Say) -> Fingerprint:
    """Bring a machine that is locked and not mounted in line with its host, and return the fingerprint of both."""
    last = fingerprint.last(machine)
    ahead = _copy_ahead(machine, last)
    from ..database import connection
    from ..overlay import mount_holders
    from ..reconcile import prepare

    dbpath = os.fspath(connection.dbpath())
    spawn = fingerprint.of_nspawn()
    late_options = _LateOptions(last.late_options if last is not None and last.nspawn == spawn else None)
    database, configuration = fingerprint.of_database(machine, dbpath), fingerprint.of_configuration(machine)
    is_left_alone = last is not None and last.machine == fingerprint.of_machine(machine)

    def run_in_overlay(lower: Sequence[Path], command: Sequence[str], stdin: bytes, lines: int) -> list[str]:
        so_far = Fingerprint(lower=list(map(os.fspath, lower)), dbpath=dbpath, late_options=late_options.get())
        entry = invocation.Invocation(machine, so_far, list(command))
        entry.write()
        try:
            from .. import limited

            return limited.run(
                entry.command, seconds=_PATIENCE, stdin=stdin, lines=lines, environment=entry.environment
            )
        except process.Failed:
            mount_holders.wait_until_unused(machine.overlay)  # if it was killed, its mounts go in a moment
            raise

    lower = prepare.bring_in_line(machine, ahead, run=run_in_overlay, is_left_alone=is_left_alone, say=say)
    return Fingerprint(
        lower=list(map(os.fspath, lower)),
        dbpath=dbpath,
        late_options=late_options.get(),
        nspawn=spawn,
        database=database,
        configuration=configuration,
        host_set=fingerprint.of_host_set(machine),
        metadata=fingerprint.of_metadata(machine),
        machine=fingerprint.of_machine(machine),
    )


def keep(machine: Machine, stands: Fingerprint, *, say: Say) -> None:
    """Put what a launch changed in the machine's database into its header set, and update the fingerprint.

    Raises ToyError if that cannot be done; the next launch does it then.
    """
    from pathlib import Path

    from ..reconcile import prepare

    if prepare.keep(machine, Path(stands.lower[0]), say=say):
        stands.machine = fingerprint.of_machine(machine)
        stands.remember(machine)


def load() -> None:
    """Import all that `keep` needs."""
    from ..reconcile import prepare  # noqa: F401


def _copy_ahead(machine: Machine, last: Fingerprint | None) -> copies.Copy | None:
    """Begin to copy the host's database into `Machine.new_rpmdb`, if the next one will most likely be made from it.

    Returns the copy, or None. With the import that begins as early, it saves a launch after an update a quarter of its
    time: 0.37 s instead of 0.49 (2,000 packages, xfs, 7 runs in turns with one that begins neither).
    """
    dbpath = RPMDB if last is None else last.dbpath
    if last is not None and last.database == fingerprint.of_database(machine, dbpath):
        return None
    try:
        if os.path.exists(machine.new_base):
            return None  # a commit began, and needs what is in `new_rpmdb`
        os.mkdir(machine.new_rpmdb)
        return copies.Copy(database_below(machine.root, dbpath), machine.new_rpmdb)
    except OSError:
        return None  # whoever opens the database reports what is wrong with it


class _LateOptions:
    """Those of `nspawn.LATE_OPTIONS` that systemd-nspawn knows. It answers in the background, which takes 12 ms."""

    def __init__(self, known: list[str] | None) -> None:
        self._known = known
        self._asked = process.Asked(["systemd-nspawn", "--help"]) if known is None else None

    def get(self) -> list[str]:
        """Return the options, once systemd-nspawn has answered."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            try:
                said = asked.answer()
            except ToyError:  # the launch reports what is wrong with systemd-nspawn
                said = ""
            self._known = [option for option in nspawn.LATE_OPTIONS if option in said]
        return self._known or []
