# SPDX-License-Identifier: GPL-2.0-or-later
"""The status of a machine, as a value: `examine` finds it out, `show` prints it."""

from collections.abc import Sequence
from typing import NamedTuple

from ..events import Reconciliation

CURRENT = "current"
BEHIND = "behind"
"""A package came or went on the host since the machine was last entered."""

IN_USE = "in use"
INSIDE = "in use, and this is inside it"
NOT_ENTERED = "not entered yet"
LOST = "without its rpm database"
"""The database is lost: the next launch makes it anew from the header set."""


class Versions(NamedTuple):
    """A package that differs between overlay and host; versions are [EPOCH:]VERSION-RELEASE, several with ", "."""

    name: str
    arch: str
    overlay: str | None
    """None if the overlay removed it."""
    host: str | None
    """None if the host has none, or if the overlay hides none of the host's (kernels)."""


class Conflict(NamedTuple):
    """A path of a package of the host's, where the overlay has another file."""

    path: str
    host: str
    """The host's package: NAME VERSION-RELEASE."""
    overlay: str | None
    """The overlay's package with that file, or None if it is gone."""


class Status(NamedTuple):
    """The state of a machine now; and in `history`, what happened when it last had to follow the host.

    None stands for what cannot be known.
    """

    machine: str
    state: str
    """One of the constants above."""
    current: bool | None = None
    """Whether no package came or went on the host since the machine was last entered."""
    added: Sequence[Versions] | None = None
    """The overlay's own packages."""
    removed: Sequence[Versions] | None = None
    """The host's packages that the overlay removed."""
    conflicts: Sequence[Conflict] | None = None
    shadowed: Sequence[str] | None = None
    """Files of the overlay, of no package of its own, in front of files that were changed later on the host."""
    lacking: Sequence[str] | None = None
    """Paths in /var that the host has, of its packages or directories of their scripts, and that the machine lacks."""
    differing: Sequence[str] | None = None
    """Paths in /var of the host's packages where one of host and machine has a directory, and the other has not."""
    broken: Sequence[str] | None = None
    """The dependency problems that rpm reports in the overlay, and not on the host."""
    read_only: Sequence[str] | None = None
    """Mount points of the host that cannot be written in the overlay."""
    missing: Sequence[str] | None = None
    """Mount points of the host of which nothing shows in the overlay."""
    foreign: Sequence[str] = ()
    """What lies in the header sets of host and machine and is no header file, each with what to do about it."""
    history: Reconciliation | None = None
    """The last reconciliation with something to say, without the events that other fields tell."""
