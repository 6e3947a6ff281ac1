# SPDX-License-Identifier: GPL-2.0-or-later
"""The fingerprint of a machine and its host after a clean launch: if it is equal, the next launch changes nothing.

It takes some forty calls of stat(2), however many packages there are, and opens nothing. After a launch that did not
end in order there is no fingerprint. A launch with nothing to do imports this module, so what takes time to import is
imported where it is used.
"""

from __future__ import annotations

import os

from .. import process
from ..filesystem import regular
from ..filesystem.stat_lines import names, stat_lines
from ..machine import ACCOUNTS, HEADERS, KEYS, Machine, database_below
from .nspawn import LATE_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FORMAT = "toy 5"
_END = "end"

_METADATA = "cache/zypp/solv"


class Fingerprint:
    """What a launch saw of machine and host. From `nspawn` on, it is text of `stat_lines`, which is only compared."""

    def __init__(
        self,
        *,
        lower: list[str],
        dbpath: str,
        late_options: list[str],
        nspawn: str = "",
        database: str = "",
        configuration: str = "",
        host_set: str = "",
        metadata: str = "",
        machine: str = "",
    ) -> None:
        self.lower = lower
        """The lower layers, uppermost first."""
        self.dbpath = dbpath
        """The path, from the root, at which rpm keeps its database."""
        self.late_options = late_options
        """Those of `nspawn.LATE_OPTIONS` that systemd-nspawn knows."""
        self.nspawn = nspawn
        """The program systemd-nspawn, see `of_nspawn`."""
        self.database = database
        """The host's rpm database, see `of_database`."""
        self._configuration = configuration
        self._host_set = host_set
        self._metadata = metadata
        self.machine = machine
        """The machine's own database and header sets, see `of_machine`."""

    def holds(self, machine: Machine) -> bool:
        """Say whether machine and host have the same fingerprint now."""
        return (self.nspawn, self.database, self._configuration, self._host_set, self._metadata, self.machine) == (
            of_nspawn(),
            of_database(machine, self.dbpath),
            of_configuration(machine),
            of_host_set(machine),
            of_metadata(machine),
            of_machine(machine),
        )

    def remember(self, machine: Machine) -> None:
        """Store the fingerprint, for the next launch to compare; an OSError is ignored."""
        texts = (self.nspawn, self.database, self._configuration, self._host_set, self._metadata, self.machine)
        fields = (_FORMAT, self.dbpath, " ".join(self.late_options), *texts, *self.lower, _END)
        try:
            regular.write(machine.seen, os.fsencode("\0".join(fields)))
        except OSError:
            pass  # the next launch does without a fingerprint, and reports what is wrong


def recall(machine: Machine) -> Fingerprint | None:
    """Return the fingerprint after the last launch, if that ended in order and the fingerprint still holds, or None."""
    then = last(machine)
    return then if then is not None and then.holds(machine) else None


def last(machine: Machine) -> Fingerprint | None:
    """Return the fingerprint after the last launch, if that ended in order and told all that happened, or None."""
    if os.path.exists(machine.entered) or os.path.exists(machine.untold):
        return None
    try:
        fields = os.fsdecode(regular.read(machine.seen)).split("\0")
    except OSError:
        return None
    if fields[0] != _FORMAT or fields[-1] != _END or len(fields) < 11:
        return None
    dbpath, late_options, nspawn, database, configuration, host_set, metadata, ours, *lower = fields[1:-1]
    if not lower or not {machine.root, machine.host_layer}.issuperset(lower):
        return None  # no launch stored such layers
    if not dbpath.startswith("/") or not LATE_OPTIONS.keys() >= set(late_options.split()):
        return None  # nor such words
    return Fingerprint(
        lower=lower,
        dbpath=dbpath,
        late_options=late_options.split(),
        nspawn=nspawn,
        database=database,
        configuration=configuration,
        host_set=host_set,
        metadata=metadata,
        machine=ours,
    )


def enter(machine: Machine) -> None:
    """Mark a machine as entered: until `leave` removes the mark, no stored fingerprint counts."""
    try:
        os.mkdir(machine.entered, 0o700)
    except FileExistsError:
        pass


def leave(machine: Machine) -> None:
    """Remove the mark that a machine is entered."""
    try:
        os.rmdir(machine.entered)
    except FileNotFoundError:
        pass


def of_nspawn() -> str:
    """Return the fingerprint of the program systemd-nspawn. Raises ToyError if there is none."""
    return stat_lines([process.path_of("systemd-nspawn")])


def of_database(machine: Machine, dbpath: str) -> str:
    """Return the fingerprint of the host's rpm database, and of the configuration that says where it is.

    To be called before any of it is read. That of a file which changed just now is equal to no other.
    """
    return stat_lines([*_database(database_below(machine.root, dbpath)), *_rpm_configuration()], settled=True)


def of_packages(machine: Machine, dbpath: str) -> str:
    """Return the fingerprint of the host's rpm database alone, for who joins to be told that it changed."""
    return stat_lines(_database(database_below(machine.root, dbpath)))


def of_configuration(machine: Machine) -> str:
    """Return the fingerprint of the host's accounts and zypper's files; of changes just now, see `of_database`."""
    etc = f"{machine.root.rstrip('/')}/etc"
    accounts = (f"{etc}/{name}" for name in ACCOUNTS)
    folders = [f"{etc}/zypp/{name}" for name in ("repos.d", "services.d", "credentials.d", "vars.d")]
    repositories = (f"{folder}/{name}" for folder in folders for name in names(folder))
    return stat_lines([*accounts, *folders, *repositories, f"{etc}/zypp/locks"], settled=True)


def of_host_set(machine: Machine) -> str:
    """Return the fingerprint of the host's header set, to be called once that is in line with the host's database."""
    return stat_lines(f"{root}/{HEADERS}" for root in (machine.root.rstrip("/"), machine.host_layer))


def of_metadata(machine: Machine) -> str:
    """Return the fingerprint of the repository metadata of host and machine."""
    repositories = names(f"/var/{_METADATA}")
    solv = (f"/var/{_METADATA}", f"{machine.var}/{_METADATA}")
    return stat_lines([solv[0], *(f"{folder}/{name}/cookie" for folder in solv for name in repositories)])


def of_machine(machine: Machine) -> str:
    """Return the fingerprint of the machine's own database, header sets, base and plan."""
    records = (f"{machine.overlay}/{HEADERS}", machine.hidden, machine.base, machine.intent, machine.renumbering)
    return stat_lines([*_database(machine.rpmdb), *records])


def _database(directory: str) -> Iterator[str]:
    """Yield the files of an rpm database that change with it. SQLite's -shm is left out: readers write it as well."""
    yield directory
    yield from (f"{directory}/{name}" for name in names(directory) if not name.endswith("-shm") and name[0] != ".")
    yield from (f"{directory}/{KEYS}/{name}" for name in names(f"{directory}/{KEYS}"))


def _rpm_configuration() -> Iterator[str]:
    """Yield the files that may say where the rpm database is (rpm, docs/man/rpm-config.5: macros), but for homes."""
    vendor = os.environ.get("RPM_CONFIGDIR", "/usr/lib/rpm")
    yield from (f"{vendor}/macros", f"{vendor}/macros.d", "/etc/rpm")
    yield from (f"/etc/rpm/{name}" for name in names("/etc/rpm"))
