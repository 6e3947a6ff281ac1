# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between sets of header files, as values: what to add and remove, and an overlay's part of a set."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from .header import HeaderFile


class Difference(NamedTuple):
    """What makes one set of names into another."""

    add: list[HeaderFile]
    remove: list[HeaderFile]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def difference(*, have: AbstractSet[HeaderFile], want: AbstractSet[HeaderFile]) -> Difference:
    """Return what to add to `have`, and to remove from it, to get `want`; both sorted."""
    return Difference(sorted(want - have), sorted(have - want))


class UpperSet(NamedTuple):
    """An overlay's part of a header set: the names of its header files and whiteouts."""

    files: AbstractSet[HeaderFile]
    whiteouts: AbstractSet[HeaderFile]

    def over(self, host: AbstractSet[HeaderFile]) -> frozenset[HeaderFile]:
        """Return the header files that overlayfs shows where this set lies over a host's set."""
        return frozenset(host - self.whiteouts | self.files)


def own_part(*, base: AbstractSet[HeaderFile], merged: AbstractSet[HeaderFile]) -> UpperSet:
    """Return the upper set with which `base`, the host's set, shows as `merged`, what the overlay made of it."""
    return UpperSet(files=merged - base, whiteouts=base - merged)
