# SPDX-License-Identifier: GPL-2.0-or-later
"""What tmpfiles.d(5) has in a machine's /run and /var, which is there as after a boot.

Packages of the host and of the overlay have it; systemd-tmpfiles(8) makes it, in the overlay, when any of it changed.
Of /run, which is empty at each launch, the result is kept, and copied there. The question whether something changed is
on the way that every launch goes: some ten calls of stat(2).
"""

from __future__ import annotations

import os

from . import entry, mounts, nspawn, run, seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Machine
    from .seen import Seen

_FOLDERS = ("etc/tmpfiles.d", "usr/local/lib/tmpfiles.d", "usr/lib/tmpfiles.d")
_KEPT = "/run/toy"

_MISSING = "what tmpfiles.d has in /run and /var may be missing"

# What is missing is made, and nothing is taken away, emptied or written to: what is in a /var stays as it is.
# nologin(5) keeps users out until the end of a boot.
_SCRIPT = r"""
mount --bind "$1" /run || exit
systemd-tmpfiles --cat-config |
    sed -E -e '/^\s*"?[FRrw]/d' -e ':again; s/^(\s*"?[bcCdDefLpqQv]\S*)[+=]/\1/; t again' |
    systemd-tmpfiles --create --boot --prefix=/run --prefix=/var --exclude-prefix=/run/nologin -
exit 0  # it says of some line that it makes no sense there
"""


def follow(machine: Machine, stands: Seen, *, say: Callable[[str], None]) -> None:
    """Have a machine that is prepared and held have what the configuration says now.

    What cannot be made is missing in the machine, and tried again by the next launch.
    """
    looks = seen.looks(_configuration(machine), settled=True)
    try:
        with open(machine.configuration, encoding="utf-8", errors="surrogateescape") as file:
            if file.read() == looks:
                return
    except FileNotFoundError:
        pass
    seen.enter(machine)
    try:
        _make(machine, stands)
        with open(machine.configuration, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(looks)
    except OSError as error:
        say(f"{_MISSING} in machine {machine.name}: {error}")
    except run.Failed as error:  # what it says is a command that nobody wants to type
        if error.status != mounts.MOUNT_FAILED:  # the launch says that
            say(f"{_MISSING} in machine {machine.name}: systemd-tmpfiles could not be run there")


def _configuration(machine: Machine) -> Iterator[str]:
    """Yield the directories with it, and those of the files in them that are not a package's of the host."""
    for root in (machine.root.rstrip("/"), machine.overlay):
        for folder in _FOLDERS:
            path = f"{root}/{folder}"
            yield path
            if (root == machine.overlay or folder == _FOLDERS[0]) and os.path.realpath(path) == path:
                yield from (f"{path}/{name}" for name in seen.names(path))


def _make(machine: Machine, stands: Seen) -> None:
    import shutil

    new = f"{machine.run}.new"
    for path in (machine.configuration, new):
        if os.path.lexists(path):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    os.mkdir(new)
    os.chmod(new, 0o755)  # whatever the umask
    command = ["sh", "-c", _SCRIPT, "sh", _KEPT]
    line = entry.command_line(machine, stands, command, own_binds=[nspawn.bind(new, _KEPT)])
    run.run(line, environment=nspawn.ENVIRONMENT)
    if os.path.lexists(machine.run):
        shutil.rmtree(machine.run)  # takes no symbolic link for a directory
    os.rename(new, machine.run)
