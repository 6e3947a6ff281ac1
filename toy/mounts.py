# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlay mounts, and the namespaces that they live and end in."""

from __future__ import annotations

import os
import time

from .errors import ToyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .layers import Overlay

TOOLS = ("setpriv", "unshare", "mount", "mountpoint")
"""What `in_own_namespaces` needs."""

MOUNT_FAILED = 32
"""Exit status of `in_own_namespaces`, as of mount(8)."""

# The kernel lets a lower layer change between two mounts only if none of these was ever on
# (Documentation/filesystems/overlayfs.rst, "Changes to underlying filesystems").
_SAFE = "redirect_dir=off,metacopy=off,index=off,xino=off"


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _source(upper: str) -> str:
    """Return what stands as the source of the mount: it tells one upper from another, whatever its path is for whom."""
    status = os.stat(upper)
    return f"toy:{status.st_dev}:{status.st_ino}"


# sh stays, as the first process of the namespace: it reaps the others. One call of mount(8) takes half the time of
# seven; what it could not mount gets another chance: vfat, for one, cannot be a lower layer, and is seen all the same.
_SCRIPT = f"""
mount --all --fstab "$1" 2>/dev/null || while [ "$2" != -- ]; do
    mountpoint --quiet "$2" || {{ [ "$3" ] && mount --bind -o ro "$3" "$2" 2>/dev/null; }} || exit {MOUNT_FAILED}
    shift 2
done
while [ "$1" != -- ]; do shift; done
shift
"$@"
exit $?
"""


def in_own_namespaces(command: list[str], overlays: list[Overlay], *, merged: str, table: str) -> list[str]:
    """Return the command line that runs `command` with the overlays mounted on `merged` and below.

    Mount and process namespace are the command's own: the mounts show nowhere else, and with the process that
    starts this (even by SIGKILL) everything in them ends. `table` is a file that is written for mount(8).
    """
    lines = []
    words = []
    source = _source(overlays[0].upper)
    for overlay in overlays:
        layers = ":".join(map(_escape, overlay.lower))
        options = f"lowerdir={layers},upperdir={_escape(overlay.upper)},workdir={_escape(overlay.work)},{_SAFE}"
        target = merged + overlay.point
        lines.append(" ".join(map(_field, (source, target, "overlay", options))))
        words += [target, overlay.point and overlay.lower[-1]]
    os.makedirs(os.path.dirname(table), mode=0o700, exist_ok=True)
    with open(table, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join([*lines, ""]))
    return [
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--mount-proc",
        "sh", "-c", _SCRIPT, "sh", table, *words, "--", *command,
    ]  # fmt: skip


def _field(text: str) -> str:
    """Return a field as fstab(5) has it."""
    for character in "\\ \t\n":
        text = text.replace(character, f"\\{ord(character):03o}")
    return text


def failure(machine: str, upper: str) -> ToyError:
    """Return the error for MOUNT_FAILED."""
    if os.statvfs(upper).f_flag & os.ST_RDONLY:
        return ToyError(f"{upper} cannot be written", f"see how it is mounted: findmnt --target {upper}")
    with open("/proc/filesystems") as filesystems:
        if not any(line.split()[-1] == "overlay" for line in filesystems):
            return ToyError("this kernel has no overlayfs", "load it: modprobe overlay")
    return ToyError(f"cannot mount the overlay of machine {machine}", "the kernel's log says why: dmesg | tail")


def users(upper: str) -> list[int]:
    """Return the processes whose mount namespace has an overlay with this upper."""
    source = f" overlay {_source(upper)} ".encode()  # after the type, see proc_pid_mountinfo(5)
    namespaces: dict[str, bool] = {}
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            if namespace not in namespaces:
                with open(f"/proc/{pid}/mountinfo", "rb") as mounts:
                    namespaces[namespace] = source in mounts.read()
        except OSError:
            continue  # it ended meanwhile
        if namespaces[namespace]:
            found.append(int(pid))
    return found


def wait_until_unused(upper: str, *, seconds: float = 10) -> None:
    """Wait until nobody has the upper mounted: what a killed launch began takes a moment to end.

    Two mounts of one upper are undefined. Raises ToyError naming a process if it does not come to be unused.
    """
    deadline = time.monotonic() + seconds
    while pids := users(upper):
        if time.monotonic() > deadline:
            raise ToyError(
                f"{upper} is still mounted by process {pids[0]}", f"see what it is, then end it: ps {pids[0]}"
            )
        time.sleep(0.01)
