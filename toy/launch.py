# SPDX-License-Identifier: GPL-2.0-or-later
"""One launch of a machine, from its lock to its unlock."""

import contextlib
import os
import pwd
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import events, host, mounts, nspawn, rpmdb, run, settle, var
from .errors import DamagedHeader, ToyError
from .events import Event
from .machine import Machine
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
        settle.keep(machine, lower[0])
        return status


def _prepare(machine: Machine, say: Say) -> list[Path]:
    """Bring header sets, merged database and files up to date. Returns the lower layers, uppermost first."""
    lower, done = host.current_set(machine.host_layer)
    _say_mended(done.mended, say)

    def run_in_overlay(command: Sequence[str]) -> None:
        run.run(_command_line(machine, lower, command), environment=nspawn.ENVIRONMENT)

    happened: list[Event] = []
    try:
        settle.settle(machine, lower[0], run=run_in_overlay, happened=happened)
    except DamagedHeader as damaged:
        lower, done = host.current_set(machine.host_layer, depth=Depth.EVERYTHING)
        mended = [*done.mended, *settle.mend(machine, damaged)]
        if not mended:
            raise
        _say_mended(mended, say)
        settle.settle(machine, lower[0], run=run_in_overlay, happened=happened)
    finally:
        if happened:
            happened = events.in_order(happened)
            events.record(machine.log, happened)
            events.say(happened, say, more=f"toy status {machine.name}")
    return lower


def _say_mended(mended: Iterable[str], say: Say) -> None:
    for file in mended:
        say(f"header file {file} was not what the rpm database has; mended")


def _command_line(machine: Machine, lower: Sequence[Path], command: Sequence[str]) -> list[str]:
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
    return mounts.in_own_namespaces(
        spawn, lower=lower, upper=machine.overlay, work=machine.work, merged=machine.mount_point
    )


def _enter(machine: Machine, lower: Sequence[Path], command: Sequence[str]) -> int:
    outcome = run.supervised(_command_line(machine, lower, command), environment=nspawn.ENVIRONMENT)
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
