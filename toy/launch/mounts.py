# SPDX-License-Identifier: GPL-2.0-or-later
"""Mounts the overlays of a machine in namespaces of their own, and runs a command there.

A shell script does it, with one call of mount(8), which takes half the time of seven. The mounts end with the process
that started the script, also if that is killed.
"""

from __future__ import annotations

import os

from ..errors import ToyError
from ..filesystem.fields import escaped
from .limits import MISSING, READ_ONLY, SAID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .layers import Overlay
    from .limits import Limits

TOOLS = ("setpriv", "unshare", "mount", "mountpoint")
"""Programs that the command line of `in_own_namespaces` needs."""

MOUNT_FAILED = 32
"""Exit status of that command line if the root's overlay cannot be mounted, as mount(8) has it."""

# The kernel lets a lower layer change between two mounts only if none of these was ever on
# (Documentation/filesystems/overlayfs.rst, "Changes to underlying filesystems").
_SAFE = "redirect_dir=off,metacopy=off,index=off,xino=off"

_LONGEST = 4095
"""Bytes of options that mount(2) takes; it cuts off what is longer."""


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


# sh stays, as the first process of the namespace: it reaps the others. One call of mount(8) takes half the time of
# seven. The new mount API, which mount(8) has from 2.39 on, takes no option over 255 bytes (linux, fs/fsopen.c).
# What cannot be mounted is shown read-only, or else not at all; that is said once, and recorded. If mount(8) is killed,
# nobody knows what it has not mounted yet.
# cp --archive takes 0.9 ms more for 23 directories: it copies times and extended attributes as well.
_SCRIPT = f"""
set -f
table=$1 merged=$2 run=$3 machine=$4 record=$5 before=$6 limits=$7
shift 7
failed=0
LIBMOUNT_FORCE_MOUNT2=always mount --all --fstab "$table" 2>/dev/null || failed=$?
[ $failed = 0 ] || {{ [ $failed -lt 128 ] && mountpoint --quiet "$merged"; }} || exit {MOUNT_FAILED}
while [ "$1" != -- ]; do
    limit=
    [ "$1" ] || limit={READ_ONLY}
    if [ $failed != 0 ]; then
        if ! {{ [ "$1" ] && mountpoint --quiet "$1" && mount --bind "$1" "$2"; }} 2>/dev/null; then
            umount "$2" 2>/dev/null  # the directory that waited for an overlay
            limit={READ_ONLY}
            mount --bind -o ro "$3" "$2" 2>/dev/null || limit={MISSING}
        fi
    fi
    [ -z "$limit" ] || limits="$limits $limit:$4"
    shift 4
done
shift
[ ! "$run" ] || cp -R -P --preserve=mode,ownership "$run/." "$merged/run" 2>/dev/null
if [ "$record" ] && [ "$limits" != "$before" ]; then
    if [ -L "$record" ] || {{ [ -e "$record" ] && [ ! -f "$record" ]; }}; then rm -f "$record"; fi
    printf '%s\\n' "$limits" 2>/dev/null > "$record"
    news=
    for each in $limits; do
        path=${{each#*:}}
        case " $before " in *" $each "*) continue ;; esac
        case "$path/" in {"|".join(f"{folder}/*" for folder in SAID)})
            news="${{news:+$news, }}$path (${{each%%:*}})" ;;
        esac
    done
    [ -z "$news" ] || printf 'toy: not as on the host: %s; see: toy status %s\\n' "$news" "$machine" >&2
fi
"$@"
exit $?
"""


# The options of systemd-nspawn's own /run, which it leaves out where something is mounted already (systemd,
# src/nspawn/nspawn-mount.c).
_RUN = "mode=0755,nosuid,nodev,strictatime,size=20%,nr_inodes=800k"


LEAST = 1 << 16
"""Bytes that an overlay must have room for to be of use: overlayfs makes directories in its workdir."""


def in_own_namespaces(
    command: list[str],
    overlays: list[Overlay],
    *,
    source: str,
    merged: str,
    table: str,
    run: str,
    private: list[str],
    limits: Limits | None,
) -> tuple[list[str], str]:
    """Return the command line that runs `command` with the overlays mounted on `merged` and below, and its fstab(5).

    That is text for mount(8), to be written to the path `table`. /run below `merged` is a tmpfs, which begins as a copy
    of the directory `run`, if there is one. The paths `private` are covered by an empty tmpfs each.

    The command has a mount and a PID namespace of its own: the mounts show nowhere else, and everything in them ends
    with the process that starts the command line, even if that is killed. `source` is the source of the overlay mounts.
    Without `limits`, it is neither printed nor recorded what could not be mounted.
    """
    root, *below = overlays
    lines = [_fields(source, merged, "overlay", _options(root))]
    words = []
    for overlay in below:
        target, host = merged + overlay.point, overlay.lower[-1]
        options = _options(overlay)
        if overlay.is_possible and len(os.fsencode(options)) <= _LONGEST:
            # The innermost first: see `layers`.
            lines.insert(0, _fields(source, overlay.stage, "overlay", options))
            lines.append(_fields(overlay.stage, target, "none", "bind"))
            words += [overlay.stage, target, host, escaped(overlay.point)]
        else:
            lines.append(_fields(host, target, "none", "bind,ro"))
            words += ["", target, host, escaped(overlay.point)]
    lines.append(_fields("tmpfs", f"{merged}/run", "tmpfs", _RUN))
    lines += [_fields("private", path, "tmpfs", "mode=0700") for path in private]
    said = [limits.machine, limits.record, limits.before, limits.known] if limits else ["", "", "", ""]
    words_of_command = [
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--mount-proc",
        "sh", "-c", _SCRIPT, "sh", table, merged, run, *said, *words, "--", *command,
    ]  # fmt: skip
    return words_of_command, "\n".join([*lines, ""])


def _options(overlay: Overlay) -> str:
    layers = ":".join(map(_escape, overlay.lower))
    return f"lowerdir={layers},upperdir={_escape(overlay.upper)},workdir={_escape(overlay.work)},{_SAFE}"


def _fields(*fields: str) -> str:
    return " ".join(map(escaped, fields))


def failure(machine: str, upper: str) -> ToyError:
    """Return the error for the exit status MOUNT_FAILED."""
    if os.statvfs(upper).f_flag & os.ST_RDONLY:
        return ToyError(f"{upper} cannot be written", f"see how it is mounted: findmnt --target {upper}")
    with open("/proc/filesystems") as filesystems:
        if not any(line.split()[-1] == "overlay" for line in filesystems):
            return ToyError("this kernel has no overlayfs", "load it: modprobe overlay")
    from ..filesystem import room

    lack = room.lacking(upper, LEAST)
    if lack is not None:
        return lack
    return ToyError(f"cannot mount the overlay of machine {machine}", "the kernel's log says why: dmesg | tail")
