# SPDX-License-Identifier: GPL-2.0-or-later
"""One launch of a machine, from its lock to its unlock."""

import contextlib
import os
import pwd
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from . import host, mounts, nspawn, plan, rpmdb, run, sync, var
from .errors import DamagedHeader, ToyError
from .headerset import HeaderSet
from .machine import Machine
from .rpmdb import Database
from .sync import Depth

_CONTAINER = Path("/run/host/container-manager")
"""See https://systemd.io/CONTAINER_INTERFACE."""

Say = Callable[[str], None]
"""Takes a line for the user."""


def launch(name: str, command: Sequence[str], *, say: Say) -> int:
    """Run `command`, or a shell if it is empty, in the machine `name`, and return its exit status.

    Raises ToyError if it could not be started, or if what it changed in its rpm database could not be kept.
    """
    machine = Machine(name)
    if _CONTAINER.exists():
        raise ToyError("this is inside a machine or a container already", "leave it first")
    run.require("systemd-nspawn", "rpmdb", *mounts.TOOLS)
    with machine.locked():
        mounts.wait_until_unused(machine.overlay)
        lower = _prepare(machine, say)
        try:
            var.share_metadata(machine.var)
        except (ToyError, OSError) as error:  # zypper can fetch it as well
            say(f"the host's repository metadata is not shared: {error}")
        status = _enter(machine, lower, command)
        with HeaderSet.open(lower[0]) as host_set, HeaderSet.open_upper(machine.overlay) as upper:
            _preserve(machine, upper, host_set)
        return status


def _prepare(machine: Machine, say: Say) -> list[Path]:
    """Bring header sets and merged database up to date. Returns the lower layers, uppermost first."""
    lower, _ = host.current_set(machine.host_layer)
    try:
        _merge(machine, lower[0])
    except DamagedHeader as damaged:
        lower, done = host.current_set(machine.host_layer, depth=Depth.EVERYTHING)
        mended = [*done.mended, *_mend(machine, damaged.file)]
        if not mended:
            raise
        for file in mended:
            say(f"header file {file} was damaged; written anew from the rpm database")
        _merge(machine, lower[0])
    return lower


def _merge(machine: Machine, layer: Path) -> None:
    with HeaderSet.open(layer) as host_set, HeaderSet.open_upper(machine.overlay) as upper:
        database, wanted = _preserve(machine, upper, host_set)
        host_files = host_set.check().files
        merged = wanted.over(host_files)
        if database == merged:
            machine.rebase(host_files)
        else:
            new = machine.new_rpmdb()
            sync.merge(new, {file: upper if file in wanted.files else host_set for file in merged})
            with Database.open(new) as built:
                var.seed(machine.var, built.paths_below("/var"))
            # libsolv knows solvables by hdrNum, and these are new.
            var.forget_installed(machine.var)
            machine.commit(host_files)
        with _open(machine) as current:
            upper.stamp = current.stamp()


def _preserve(machine: Machine, upper: HeaderSet, host_set: HeaderSet) -> tuple[AbstractSet[str] | None, plan.Upper]:
    """Put into the upper's set what the overlay changed in its database.

    Returns the files of the database's headers, None where there is no database yet, and the upper's set.
    """
    host_files = host_set.check().files
    if not machine.has_rpmdb:
        listing = upper.check()
        return None, plan.Upper(listing.files, listing.whiteouts)
    base = machine.base()
    with _open(machine) as database:
        files, wanted = sync.preserve(database, upper, base=base, host=host_files)
        if base == host_files:
            upper.stamp = database.stamp()
    return files, wanted


@contextlib.contextmanager
def _open(machine: Machine) -> Iterator[Database]:
    """Open the merged database: root in the overlay can put anything in its place."""
    with os.scandir(machine.rpmdb) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise ToyError(f"{entry.path} is not a regular file", "move it away and try again")
    try:
        with Database.open(machine.rpmdb) as database:
            yield database
    except rpmdb.Unusable as error:
        mend = f"to have it made anew from the header set: mv {machine.rpmdb} {machine.rpmdb}.damaged"
        raise ToyError(error.what, mend) from error


def _mend(machine: Machine, file: str) -> list[str]:
    """Write a header file of the overlay anew if its database still has the header."""
    if not machine.has_rpmdb:
        return []
    with HeaderSet.open_upper(machine.overlay) as upper, _open(machine) as database:
        if file not in upper.list().files:
            return []
        for number in filter(None, [sync.files_of(database).get(file)]):
            for found in database.headers([number]):
                upper.write(file, found.blob)
                return [file]
    return []


def _enter(machine: Machine, lower: Sequence[Path], command: Sequence[str]) -> int:
    spawn = nspawn.command_line(
        machine.name,
        machine.mount_point,
        command,
        binds=[
            nspawn.bind(machine.rpmdb, rpmdb.dbpath().resolve()),
            nspawn.bind(machine.var, Path("/var")),
            *map(nspawn.bind, _homes()),
        ],
        read_only_binds=map(nspawn.bind, _name_resolution()),
        environment=os.environ,
    )
    outcome = run.supervised(
        mounts.in_own_namespaces(
            spawn, lower=lower, upper=machine.overlay, work=machine.work, merged=machine.mount_point
        ),
        environment=nspawn.ENVIRONMENT,
    )
    if outcome.ready:
        return outcome.status
    if outcome.status == mounts.MOUNT_FAILED:
        raise mounts.failure(machine.name)
    raise ToyError(
        f"systemd-nspawn did not start machine {machine.name} (status {outcome.status})", "see what it said above"
    )


def _homes() -> list[Path]:
    """Return root's home and that of the user who called sudo, pkexec or su."""
    uids = ["0", os.environ.get("SUDO_UID", ""), os.environ.get("PKEXEC_UID", "")]
    with contextlib.suppress(OSError):
        uids.append(Path("/proc/self/loginuid").read_text().strip())
    homes: list[Path] = []
    for uid in dict.fromkeys(filter(str.isdecimal, uids)):
        with contextlib.suppress(KeyError):
            home = Path(pwd.getpwuid(int(uid)).pw_dir)
            if home.is_dir() and home != Path("/") and not any(home.is_relative_to(other) for other in homes):
                homes.append(home)
    return homes


def _name_resolution() -> list[Path]:
    """Return the directory below /run that /etc/resolv.conf leads to, if it does: the overlay has a /run of its own."""
    target = Path("/etc/resolv.conf").resolve()
    return [target.parent] if target.is_relative_to("/run") and target.exists() else []
