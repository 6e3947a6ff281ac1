# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits: which of the host's mounts a machine has only read-only, or not at all. Launches print and record them.

The record is one line of words, each a kind, a colon and a path escaped as `fields` does it. A launch with nothing to
do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

from ..filesystem import regular
from ..filesystem.fields import escaped, unescaped
from ..host.mounted import is_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..machine import Machine

READ_ONLY = "read-only"
MISSING = "missing"

_LONGEST = 1 << 15
"""Most characters of a record: it becomes an argument of a command, which Linux limits to 128 KiB."""

SAID = ("/usr", "/etc", "/opt")
"""Where packages lie: a launch prints the limits of these directories, and of mount points below them."""


def is_said(point: str) -> bool:
    """Say whether a launch prints a limit of this mount point."""
    return is_in(point, SAID)


class Limits:
    """The limits on record from the last launch, and those that are known before anything is mounted."""

    def __init__(self, machine: Machine, *, hidden: Iterable[str]) -> None:
        """Read the record; `hidden` are the host's mount points that the machine is not going to show."""
        self.machine = machine.name
        self.record = machine.limits
        self.before = _line(machine)
        self.known = "".join(f" {MISSING}:{escaped(point)}" for point in hidden if is_said(point))


def recorded(machine: Machine, kind: str) -> list[str]:
    """Return the mount points on record for a kind of limit; malformed words of the record are left out."""
    found = []
    for word in _line(machine).split(" "):
        try:
            found += [unescaped(word.removeprefix(f"{kind}:"))] if word.startswith(f"{kind}:/") else []
        except ValueError:
            continue  # somebody edited it
    return found


def _line(machine: Machine) -> str:
    try:
        line = regular.read(machine.limits).decode(errors="surrogateescape").partition("\n")[0]
    except OSError:
        return ""  # none was written, or the next one is in its place
    return "" if "\0" in line or len(line) > _LONGEST else line
