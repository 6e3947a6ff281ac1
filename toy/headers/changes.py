# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between sets of header files, as values: what to add and remove, and an overlay's part of a set."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple


class Difference(NamedTuple):
    """What makes one set of names into another."""

    add: list[str]
    remove: list[str]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def difference(*, have: AbstractSet[str], want: AbstractSet[str]) -> Difference:
    """Return what makes `have` into `want`."""
    return Difference(sorted(want - have), sorted(have - want))


class UpperSet(NamedTuple):
    """An overlay's part of a header set."""

    files: AbstractSet[str]
    whiteouts: AbstractSet[str]

    def over(self, host: AbstractSet[str]) -> frozenset[str]:
        """Return what overlayfs shows of a host's set with this above it."""
        return frozenset(host - self.whiteouts | self.files)


def own_part(*, base: AbstractSet[str], merged: AbstractSet[str]) -> UpperSet:
    """Return the upper over `base`, the host's set, that shows `merged`, what the overlay made of it."""
    return UpperSet(files=merged - base, whiteouts=base - merged)
