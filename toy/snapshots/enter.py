# SPDX-License-Identifier: GPL-2.0-or-later
"""Enters a snapshot of the root that is not the running one: an update's, or an older one."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import process
from ..errors import ToyError
from ..host import snapper
from ..launch import launch
from ..machine import MACHINES, STATE, Machine
from . import etc

_THROWAWAY = "throwaway"
"""File in the directory of a machine that is removed after its launch."""


def enter(
    which: str,
    name: str | None,
    command: list[str],
    *,
    say: Callable[[str], None],
    with_host: bool = False,
    as_user: bool = False,
) -> int:
    """Run a command as `launch.launch` does, over a snapshot: its number, or "default" for the next boot's.

    Without the name of a machine, it is a throwaway one, which is removed after the launch.
    """
    number, root = _find(which)
    layers = [] if root == "/" else etc.assemble(root, say=say)
    if name is not None:
        return launch.launch(name, command, say=say, with_host=with_host, as_user=as_user, root=root, etc=layers)
    _remove_leftovers()
    machine = Machine(f"snapshot-{number}-{os.getpid()}", root)
    with _removed(machine):
        return launch.launch(
            machine.name, command, say=say, with_host=with_host, as_user=as_user, root=root, etc=layers
        )


def _find(which: str) -> tuple[int, str]:
    """Return a snapshot's number, and its root, "/" for the running one. Raises ToyError if it cannot be entered."""
    _require_snapshots()
    number = _default() if which == "default" else int(which) if which.isdecimal() else 0
    root = snapper.root(number)
    if number == 0 or not os.path.isdir(f"{root}/usr"):
        raise ToyError(f"there is no snapshot {which}", f"see which there are: ls {snapper.SNAPSHOTS}")
    # /usr as well: transactional-update may have mounted that of a newer snapshot over the running one's.
    if all(os.path.samestat(os.stat(f"{root}{part}"), os.stat(part)) for part in ("/", "/usr")):
        return number, "/"
    if snapper.is_in_progress(number):
        raise ToyError(
            f"an update of snapshot {number} is not finished",
            "wait until this does not say in-progress any more: snapper list --columns number,userdata",
        )
    if "ro=true" not in process.output(["btrfs", "property", "get", "-ts", root, "ro"]):
        raise ToyError(
            f"snapshot {number} can be written, and may change while it is entered",
            f"have it read-only: btrfs property set -ts {root} ro true",
        )
    return number, root


def _require_snapshots() -> None:
    """Raise ToyError if the running system has no snapshots."""
    kind = process.output(["stat", "--file-system", "--format=%T", "/"]).strip()
    if kind != "btrfs" or not os.path.isdir(snapper.SNAPSHOTS):
        what = f"/ is {kind}" if kind != "btrfs" else f"there is no {snapper.SNAPSHOTS}"
        raise ToyError(f"this system has no snapshots ({what})", "enter the running system: toy")


def _default() -> int:
    # "ID 266 gen 7 top level 265 path @/.snapshots/5/snapshot"
    path = process.output(["btrfs", "subvolume", "get-default", "/"]).strip().rpartition("path ")[2]
    number = snapper.number_of(path)
    if number is None:
        raise ToyError("the default btrfs subvolume is no snapshot", "give the number of one: toy --snapshot N")
    return number


@contextlib.contextmanager
def _removed(machine: Machine) -> Iterator[None]:
    """Make a throwaway machine, and remove it at the end of the context."""
    with machine:
        (Path(machine.directory) / _THROWAWAY).touch()
    try:
        yield
    finally:
        if not machine.is_in_use():  # after ^C at the end its keeper may be at work: the next one removes it
            _remove(machine)


def _remove(machine: Machine) -> None:
    with machine:
        of_launch = (machine.entered, machine.macros, machine.mounts, machine.settings)
        process.run(["rm", "-rf", "--one-file-system", "--", *of_launch, machine.directory])
        for remove, path in ((os.rmdir, machine.mount_point), (os.unlink, f"{MACHINES}/.{machine.name}")):
            with contextlib.suppress(OSError):
                remove(path)


def _remove_leftovers() -> None:
    """Remove throwaway machines that a killed launch left."""
    for path in Path(STATE).glob(f"*/{_THROWAWAY}"):
        with contextlib.suppress(ToyError):  # it is in use
            _remove(Machine(path.parent.name))
