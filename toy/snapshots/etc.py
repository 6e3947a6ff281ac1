# SPDX-License-Identifier: GPL-2.0-or-later
"""Mounts the /etc of a snapshot as it will be when the snapshot is booted.

That is more than what lies in the snapshot. transactional-update before 5 has /etc as an overlay, which the
snapshot's own fstab names (transactional-update 4, lib/Overlay.cpp); later ones bring over at boot what changed in
the running /etc.
"""

import os
import shutil
import stat
from collections.abc import Callable
from typing import NamedTuple

from .. import failure, process
from ..errors import ToyError
from ..filesystem import namespace
from ..host import snapper
from . import syncpoint

Say = Callable[[str], None]
"""Takes a line for the user."""

_SYSROOT = "/sysroot"
"""Where the root is while /etc is mounted at boot (tukit.conf(5): DRACUT_SYSROOT)."""


class _Overlay(NamedTuple):
    """The overlay that an fstab has for /etc; a directory that it does not name is ""."""

    upper: str
    lower: list[str]


def assemble(root: str, *, say: Say) -> list[str]:
    """Mount on a snapshot's /etc what that will be, in a mount namespace that this process enters.

    Returns the layers of that /etc, uppermost first; none if it is the directory in the snapshot. What cannot be shown
    is said.
    """
    process.require("findmnt")
    overlay, parent = _overlay(f"{root}/etc/fstab"), _parent(root, say)
    if overlay is None and parent is None:
        return []
    # The /etc in the snapshot is bound below /run, which no overlay shows, since it is going to be covered.
    place = f"{root}/run"
    own = f"{place}/etc"
    try:
        namespace.enter()
        namespace.mount("-t", "tmpfs", "-o", "mode=700", "toy", place)
        os.mkdir(own)
        namespace.mount("--bind", f"{root}/etc", own)
        layers = [own]
        if overlay is not None:
            layers = _layers(overlay, own, say)
        elif parent is not None:
            layers = [_changes(own, parent, place), own]
        if len(layers) > 1:  # of one layer, the kernel makes no overlay
            namespace.mount("-t", "overlay", "-o", f"ro,lowerdir={':'.join(layers)}", "toy", f"{root}/etc")
    except (ToyError, OSError) as error:
        why = f"since this failed: {failure.explained(error)}"
        say(f"toy shows /etc as it is stored in the snapshot, without what the boot would add, {why}")
        return []
    return layers


def _changes(own: str, parent: str, place: str) -> str:
    """Make a layer in `place` with what the boot brings over from the /etc `parent` into `own`; return its path."""
    changes, work, merged = (f"{place}/{name}" for name in ("changes", "work", "merged"))
    for directory in (changes, work, merged):
        os.mkdir(directory)
    shutil.copystat(own, changes)
    os.mknod(f"{changes}/{syncpoint.NAME}", stat.S_IFCHR)  # a whiteout: it goes at the boot
    # Only whole files: the overlay that gets this as a layer follows no reference from one layer to another.
    options = f"lowerdir={own},upperdir={changes},workdir={work},redirect_dir=off,metacopy=off"
    namespace.mount("-t", "overlay", "-o", options, "toy", merged)
    syncpoint.bring_over(parent, to=merged, syncpoint=f"{own}/{syncpoint.NAME}")
    process.run(["umount", merged])
    return changes


def _overlay(fstab: str) -> _Overlay | None:
    """Return the overlay that an fstab(5) names for /etc, or None if it names none."""
    try:
        listed = process.output(
            ["findmnt", "--fstab", "--tab-file", fstab, "--direction", "backward", "--types", "overlay",
             "--mountpoint", "/etc", "--noheadings", "--output", "OPTIONS"]
        )  # fmt: skip
    except ToyError:  # findmnt has no exit status of its own for what it does not find
        return None
    options = dict(option.partition("=")[::2] for option in listed.strip().split(","))
    upper, *lower = [options.get("upperdir", ""), *options.get("lowerdir", "").split(":")]
    return _Overlay(upper.removeprefix(_SYSROOT), [path.removeprefix(_SYSROOT) for path in lower])


def _layers(overlay: _Overlay, own: str, say: Say) -> list[str]:
    """Return the layers of an overlay, uppermost first; `own` is the /etc that lies in its snapshot."""
    running = _overlay("/etc/fstab") if os.path.ismount("/etc") else None
    layers: list[str] = []
    missing: list[str] = []
    bottom = own
    for path in (overlay.upper, *overlay.lower):
        if running is not None and path == running.upper:
            bottom = "/etc"  # an upper that is in use: what is below it is the same, and in use as well
            break
        if path != "/etc":
            (layers if os.path.isdir(path) else missing).append(path)
    if missing:
        why = f"since its fstab has layers that are no directories: {', '.join(map(repr, missing))}"
        say(f"part of the snapshot's /etc is not shown, {why}")
    return [*layers, bottom]


def _parent(root: str, say: Say) -> str | None:
    """Return the path of the /etc from which the boot of a snapshot brings changes over, or None if it brings none."""
    number = syncpoint.parent(f"{root}/etc")
    if number is None:
        return None
    parent = snapper.root(number)
    if os.path.exists(parent) and os.path.samestat(os.stat(parent), os.stat("/")):
        return "/etc"
    if os.path.isdir(f"{parent}/etc") and _overlay(f"{parent}/etc/fstab") is None:
        return f"{parent}/etc"
    why = "is an overlay" if os.path.isdir(f"{parent}/etc") else "does not exist any more"
    say(f"changes that the boot would bring over from the /etc of snapshot {number} are not shown, since that {why}")
    return None
