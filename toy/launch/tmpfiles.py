# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes in the /run and /var of a machine what tmpfiles.d(5) says, as after a boot.

Packages of the host and of the overlay bring that configuration. systemd-tmpfiles(8) is run in the overlay when any
of it changed, or when something that was made in /var is gone. /run is empty at each launch, so what was made there is
kept, and copied into it. To see whether something changed takes a call of stat(2) for each file of the configuration
and each that was made in /var. A launch with nothing to do imports this module, so what takes time to import is
imported where it is used.
"""

from __future__ import annotations

import os
import stat

from .. import process
from ..errors import typed
from ..filesystem import regular
from ..filesystem.stat_lines import names, stat_lines
from . import fingerprint, invocation, nspawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..machine import Machine
    from .fingerprint import Fingerprint

_FOLDERS = ("etc/tmpfiles.d", "usr/local/lib/tmpfiles.d", "usr/lib/tmpfiles.d")
_KEPT = "/run/toy"

_MISSING = "what tmpfiles.d has in /run and /var may be missing"

# It makes what is missing, and removes, empties and writes to nothing: what is in the machine's /var stays as it is.
# nologin(5) is left out, since it keeps users out until the end of a boot. The script lists the paths that are to be
# in /var, but for those with a specifier.
_SCRIPT = r"""
config=$(systemd-tmpfiles --cat-config) || exit 3
config=$(printf '%s\n' "$config" |
    sed -E -e '/^\s*"?[FRrw]/d' -e ':again; s/^(\s*"?[bcCdDefLpqQv]\S*)[+=]/\1/; t again') || exit 3
printf '%s\n' "$config" |
    systemd-tmpfiles --create --boot --prefix=/run --prefix=/var --exclude-prefix=/run/nologin -
[ $? -lt 124 ] || exit 3  # it says of some line that it makes no sense there
kept=$1 list=$2
shift 2
for each in /run/*; do
    case $each in /run/host | "$kept") ;; *) set -- "$@" "$each" ;; esac  # systemd-nspawn's, and where this goes
done
cp --archive --one-file-system "$@" "$kept" || exit 3
printf '%s\n' "$config" |
    sed -n -E 's/^\s*"?[bcCdDfLpqQv]\S*\s+"?(\/var\/[^][:space:]"%*?[\\]+)("?\s.*)?$/\1/p' >"$kept/$list"
"""

_FAILED = 3
_FAILURES = (_FAILED, 124, 125, 126, 127)
"""Exit statuses of the script; of timeout(1), when that took too long or could not run it; and of a shell that finds no
timeout(1). Any other is systemd-nspawn's."""

_PATIENCE = 60
"""Seconds that the script may take."""

_LIST = ".toy-var"
"""Where the script lists what is to be in /var, for a moment: it keeps no hidden files of /run."""

_LONGEST = 1 << 16
"""Most bytes of that list, which a launch goes through: a machine's own programs write it."""

_FORMAT = "2"
"""Of the record `Machine.configuration`: this, `stat_lines` of the configuration, and paths in /var, joined by NULs."""

# All that systemd-nspawn leaves to a container but CHOWN, DAC_OVERRIDE, FOWNER, FSETID and SETFCAP.
_DROPPED = (
    *("AUDIT_CONTROL", "AUDIT_WRITE", "DAC_READ_SEARCH", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MKNOD"),
    *("NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_BOOT"),
    *("SYS_CHROOT", "SYS_NICE", "SYS_PTRACE", "SYS_RESOURCE", "SYS_TTY_CONFIG"),
)
_OPTIONS = ("--no-new-privileges=yes", f"--drop-capability={','.join(f'CAP_{name}' for name in _DROPPED)}")


def follow(machine: Machine, stands: Fingerprint, *, say: Callable[[str], None]) -> None:
    """Make in a machine, which is prepared and locked, what tmpfiles.d(5) says, if configuration or result changed.

    An error is printed; what cannot be made is missing in the machine, and the next launch tries again.
    """
    now = stat_lines(_configuration(machine), settled=True)
    try:
        recorded = regular.read(machine.configuration).decode(errors="surrogateescape").split("\0")
        if recorded[:2] == [_FORMAT, now] and os.path.isdir(machine.run) and _has(machine, recorded[2:]):
            return
    except OSError:
        pass  # there is none, or none that can be read: it is made anew
    fingerprint.enter(machine)
    try:
        made = _make(machine, stands)
        with open(machine.configuration, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("\0".join([_FORMAT, now, *made]))
    except OSError as error:
        from .. import failure

        say(f"{_MISSING} in machine {machine.name}: {failure.explained(error)}")
    except process.Failed as error:
        if error.status in _FAILURES:  # else systemd-nspawn failed: so does the launch, and says why
            see = f"see why: TOY_DEBUG=1 {typed()}"
            say(f"{_MISSING} in machine {machine.name}, since systemd-tmpfiles failed there; {see}")


def _configuration(machine: Machine) -> Iterator[str]:
    """Yield the directories with tmpfiles.d(5), and the files in them, but for those in the host's /usr."""
    host = machine.root.rstrip("/")
    yield from (f"{host}/{folder}" for folder in _FOLDERS)
    yield from (f"{host}/{_FOLDERS[0]}/{name}" for name in names(f"{host}/{_FOLDERS[0]}"))
    for folder in _FOLDERS:
        path = machine.overlay
        # A link in the overlay may lead anywhere, and when it comes or goes, the directory that it is in changes.
        for name in folder.split("/"):
            path += f"/{name}"
            if os.path.islink(path):
                break
        else:
            yield path
            yield from (each for name in names(path) if not os.path.islink(each := f"{path}/{name}"))


def _has(machine: Machine, made: list[str]) -> bool:
    """Say whether each path is in a machine's /var, or leads through a link or a file there. No link is followed."""
    seen = set()
    for path in made:
        way = machine.var
        for name in path.removeprefix("/var/").split("/"):
            way += f"/{name}"
            if way in seen:
                continue
            try:
                status = os.lstat(way)
            except (OSError, ValueError):  # it is not there, or was recorded by a launch in another locale
                return False
            if not stat.S_ISDIR(status.st_mode):
                break
            seen.add(way)
    return True


def _make(machine: Machine, stands: Fingerprint) -> list[str]:
    """Run systemd-tmpfiles in a machine, keep what it made in /run, and return the paths that are in /var now."""
    import shutil
    from pathlib import Path

    from ..filesystem import files

    new = f"{machine.run}.new"
    for path in (machine.configuration, machine.run, new):  # without the old one, /run is empty when this begins
        if os.path.lexists(path):
            shutil.rmtree(path) if stat.S_ISDIR(os.lstat(path).st_mode) else os.unlink(path)
    os.mkdir(new)
    os.chmod(new, 0o755)  # whatever the umask
    command = ["timeout", f"{_PATIENCE}", "sh", "-c", _SCRIPT, "sh", _KEPT, _LIST]
    options = [f"--bind={nspawn.bind(new, _KEPT)}", *_OPTIONS]
    entry = invocation.Invocation(machine, stands, command, own_options=options)
    entry.write()
    process.run(entry.command, environment={**entry.environment, **nspawn.WITHOUT_FILTERS})
    with files.directory(Path(new)) as fd:
        listed = os.fsdecode(files.read(fd, _LIST, longest=_LONGEST))
        os.unlink(_LIST, dir_fd=fd)
    os.rename(new, machine.run)
    paths = [os.path.normpath(path) for path in listed.split("\n")]
    return [path for path in paths if path.startswith("/var/") and "\0" not in path and _has(machine, [path])]
