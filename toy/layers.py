# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlays that a machine consists of: one over its root, and one over each file system mounted below that.

An overlay does not show what is mounted below its lower layer: neither /usr/local, if that is a subvolume of its own,
nor what `transactional-update apply` puts over the running /usr. All of them share one upper tree, so that it does not
matter to what was written in /usr/local whether something is mounted there. On the way that every launch goes.
"""

from __future__ import annotations

import os
import stat

from .machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ELSEWHERE = frozenset({"dev", "proc", "root", "run", "sys", "tmp"})
"""Of the top directories: not in any overlay, whatever a package may own there."""

_OWN = (*(f"/{name}" for name in ELSEWHERE), "/var")


class Overlay:
    """One overlay mount."""

    def __init__(self, point: str, *, lower: list[str], upper: str, work: str) -> None:
        self.point = point
        """Where it is to be mounted, from the machine's root; "" is that itself."""
        self.lower = lower
        """The lower layers, uppermost first."""
        self.upper = upper
        self.work = work


def overlays(machine: Machine, lower: list[str], *, without: str) -> list[Overlay]:
    """Return the overlays of a machine that is locked and not mounted, each after the one that it is in.

    `lower` are the layers of the root, uppermost first. What is mounted at `without` or below is left out.
    """
    found = [Overlay("", lower=lower, upper=machine.overlay, work=_work(machine, 0))]
    if machine.etc and (upper := _upper(machine, "/etc")) is not None:
        found.append(Overlay("/etc", lower=list(machine.etc), upper=upper, work=_work(machine, 1)))
    for point in mount_points(without=without):
        if machine.root != "/" and (point.startswith(f"{machine.root}/") or _has_something(machine.root + point)):
            continue  # another root has what is mounted here on the running one as a part of itself: its /usr, say
        upper = _upper(machine, point)
        if upper is not None:
            layers = [layer + point for layer in lower[:-1] if os.path.isdir(layer + point)]
            found.append(Overlay(point, lower=[*layers, point], upper=upper, work=_work(machine, len(found))))
    return found


def mount_points(*, without: str) -> list[str]:
    """Return where the root has other file systems mounted that show in an overlay, ascending.

    Those are on block devices, or overlays themselves (/etc was one in MicroOS): memory is what a machine has of its
    own, and a network that does not answer would make a launch wait.
    """
    shown: dict[str, bool] = {"/": True}
    for point, source, kind in sorted(visible()):
        is_own = any(f"{point}/".startswith(f"{own}/") for own in (*_OWN, without))
        around = point
        while (around := os.path.dirname(around)) not in shown:
            pass
        shown[point] = shown[around] and is_on_disk(source, kind) and not is_own and os.path.isdir(point)
    return [point for point, shows in shown.items() if shows and point != "/"]


def is_on_disk(source: str, kind: str) -> bool:
    """Say whether a mount of this source and type is one of those that show in an overlay."""
    return source.startswith("/") or kind == "overlay"


def visible() -> Iterable[tuple[str, str, str]]:
    """Yield mount point, source and type of the mounts below the root, but for those that lie under a later one."""
    mounts: dict[str, tuple[str, str, str, str]] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:  # proc_pid_mountinfo(5)
        for line in file:
            before, _, after = line.partition(" - ")
            number, parent, _, _, point, *_ = before.split(" ")
            kind, source, *_ = after.split(" ")
            mounts[number] = parent, _unescaped(point), source, kind
    covered: dict[str, list[str]] = {}
    for parent, point, _, _ in mounts.values():
        covered.setdefault(parent, []).append(point)

    def is_visible(number: str) -> bool:
        if number not in mounts:
            return True
        parent, point, _, _ = mounts[number]
        if any(point.startswith(f"{other}/") for other in covered[parent]):
            return False
        return is_visible(parent)

    for number, (_, point, source, kind) in mounts.items():
        if point != "/" and point not in covered.get(number, ()) and is_visible(number):
            yield point, source, kind


def _unescaped(path: str) -> str:
    for character in " \t\n\\":
        path = path.replace(f"\\{ord(character):03o}", character)
    return path


def _upper(machine: Machine, point: str) -> str | None:
    """Return the upper's directory for what is mounted somewhere, as a copy-up would have made it.

    None if the upper has something else there: that is what one sees, then.
    """
    path = machine.overlay
    for name in point.split("/")[1:]:
        path += f"/{name}"
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                return None
        except FileNotFoundError:
            _make(machine, point)
            break
    return machine.overlay + point


def _make(machine: Machine, point: str) -> None:
    from pathlib import Path, PurePath

    from . import files

    with files.directory(Path(machine.overlay), PurePath(point[1:]), create=True, like=Path("/")):
        pass


def _work(machine: Machine, number: int) -> str:
    """Return the work directory of one of the overlays that are mounted together; it keeps nothing."""
    path = f"{machine.work}/{number}"
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    return path


def _has_something(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))
    except FileNotFoundError:
        return False
