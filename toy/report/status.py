# SPDX-License-Identifier: GPL-2.0-or-later
"""The status of a machine, as a value: `examine` finds it out, `show` prints it."""

from collections.abc import Sequence
from typing import NamedTuple

from ..reconcile.events import Reconciliation

CURRENT = "current"
BEHIND = "behind"
"""A package came or went on the host since the machine was last entered."""

IN_USE = "in use"
INSIDE = "in use, and this is inside it"
NOT_ENTERED = "not entered yet"
LOST = "without its rpm database"
"""It had one: the next launch makes it anew from the header set."""


class Versions(NamedTuple):
    """A package that the overlay has otherwise than the host; versions are [EPOCH:]VERSION-RELEASE."""

    name: str
    arch: str
    overlay: str | None
    """None if the overlay removed it."""
    host: str | None
    """None if the host has none, or another one is no obstacle (kernels)."""


class Conflict(NamedTuple):
    """A path of a package of the host's, where the overlay has another file."""

    path: str
    host: str
    """The host's package: NAME VERSION-RELEASE."""
    overlay: str | None
    """The overlay's package with that file, or None if it is gone."""


class Status(NamedTuple):
    """How a machine stands now; and apart from that, what became of it when it last had to follow the host.

    None is for what cannot be known.
    """

    machine: str
    state: str
    """One of those above."""
    current: bool | None = None
    """Whether no package came or went on the host since the machine was last entered."""
    added: Sequence[Versions] | None = None
    """The overlay's own."""
    removed: Sequence[Versions] | None = None
    """The host's that the overlay removed."""
    conflicts: Sequence[Conflict] | None = None
    shadowed: Sequence[str] | None = None
    """Files of the overlay, of no package of its own, in front of files that were changed later on the host."""
    broken: Sequence[str] | None = None
    """What rpm says of dependencies, but for what it says on the host as well."""
    read_only: Sequence[str] | None = None
    """Mount points of the host that cannot be written in the overlay."""
    missing: Sequence[str] | None = None
    """Mount points of the host of which nothing shows in the overlay."""
    history: Reconciliation | None = None
    """The last one of which there was something to say; and of that, what the state does not say."""
