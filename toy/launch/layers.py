# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlays that a machine consists of: one over its root, and one over each file system mounted below that.

An overlay does not show what is mounted below its lower layer: neither /usr/local, if that is a subvolume of its own,
nor what `transactional-update apply` puts over the running /usr. All of them share one upper tree, so that a file that
was written in /usr/local is there whether or not something is mounted at /usr/local. Every launch imports this module.

So their uppers lie in one another. To the kernel that is undefined where files are accessed through both of two
overlays (Documentation/filesystems/overlayfs.rst, "Sharing and copying layers"). Here they are not: each overlay is
mounted on the one around it before anything runs there, and covers all that both have. The kernel cannot know that,
and warns when it mounts an upper within one that is mounted already, as it does for a killed mount that lives on
(linux, fs/overlayfs/super.c: ovl_check_layer). Therefore the innermost is mounted first, at a stage apart, and bound to
its place when all are mounted. (Root in the overlay can look below a mount, by a non-recursive bind mount of /: the
upper's files are there, at worst one that is removed already.)
"""

from __future__ import annotations

import os
import stat

from ..errors import ToyError, moved_away
from ..machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..host.mounted import Mounted

_REAL = ("dev", "etc", "proc", "run", "sys", "tmp", "usr", "var")
"""Top directories in which systemd-nspawn reads or writes by plain path before it has entered the machine: if one is a
symbolic link, nspawn follows it on the host."""

_MACHINE_ID = "etc/machine-id"
"""A file that systemd-nspawn opens in the same way: a FIFO would block it for ever."""

_NO_LAYER = ("vfat", "msdos", "exfat")
"""File systems that the kernel never takes as a lower layer, since they ignore case. The EFI partition has one."""


class Overlay:
    """One overlay mount."""

    def __init__(self, point: str, *, lower: list[str], upper: str, work: str, stage: str = "") -> None:
        self.point = point
        """The mount point, from the machine's root; "" is that root."""
        self.lower = lower
        """The lower layers, uppermost first."""
        self.upper = upper
        self.work = work
        self.stage = stage
        """Where an overlay below the root is mounted, before it is bound to its mount point."""
        self.is_possible = True
        """Whether the kernel may take the file system that is mounted there as a lower layer."""


def overlays(machine: Machine, lower: list[str], mounted: Mounted) -> list[Overlay]:
    """Return the overlays of a machine that is locked and not mounted, each after the one that it is in.

    `lower` are the layers of the root, uppermost first. Raises ToyError if the upper has something that systemd-nspawn
    must not follow or open.
    """
    _require_kinds(machine.overlay)
    found = [Overlay("", lower=lower, upper=machine.overlay, work=f"{machine.work}/0")]
    if machine.etc:
        found.append(_overlay(machine, "/etc", list(machine.etc), number=1))
    for point, kind in mounted.shown:
        if machine.root != "/" and (point.startswith(f"{machine.root}/") or _has_something(machine.root + point)):
            continue  # a snapshot has a part of its own, /usr say, where something is mounted on the running root
        if _is_upper(machine, point):
            layers = [layer + point for layer in lower[:-1] if os.path.isdir(layer + point)]
            overlay = _overlay(machine, point, [*layers, point], number=len(found))
            overlay.is_possible = kind not in _NO_LAYER
            found.append(overlay)
    return found


def make_directories(overlays: Sequence[Overlay]) -> None:
    """Make the directories of overlays that are missing: uppers as a copy-up would, the others empty.

    The first of the overlays is the root's.
    """
    for overlay in overlays:
        if not os.path.isdir(overlay.upper):
            from pathlib import Path, PurePath

            from ..filesystem import files

            with files.directory(Path(overlays[0].upper), PurePath(overlay.point[1:]), create=True, like=Path("/")):
                pass
        for path in filter(None, (overlay.work, overlay.stage)):
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass


def _require_kinds(upper: str) -> None:
    """Raise ToyError if an upper has a `_REAL` that is no directory, or a `_MACHINE_ID` that is no regular file.

    A whiteout in the place of the latter is none.
    """
    for name in _REAL:
        status = _status(f"{upper}/{name}")
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise ToyError(f"{upper}/{name} is not a directory", moved_away(f"{upper}/{name}"))
    status = _status(f"{upper}/{_MACHINE_ID}")
    if status is None or stat.S_ISREG(status.st_mode):
        return
    from ..filesystem import whiteout

    if not whiteout.is_whiteout(status):
        raise ToyError(f"{upper}/{_MACHINE_ID} is not a regular file", moved_away(f"{upper}/{_MACHINE_ID}"))


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _overlay(machine: Machine, point: str, lower: list[str], *, number: int) -> Overlay:
    work = f"{machine.work}/{number}"
    return Overlay(point, lower=lower, upper=machine.overlay + point, work=work, stage=f"{work}.merged")


def _is_upper(machine: Machine, point: str) -> bool:
    """Say whether the upper has directories or nothing at a mount point of the host and on the way there.

    If it has something else, that shows, and not what is mounted.
    """
    path = machine.overlay
    for name in point.split("/")[1:]:
        path += f"/{name}"
        status = _status(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return status is None
    return True


def _has_something(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))
    except FileNotFoundError:
        return False
