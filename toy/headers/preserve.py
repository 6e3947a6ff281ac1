# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the changes that were made in an overlay's rpm database into the header set of its upper."""

from collections.abc import Set as AbstractSet

from . import changes
from .contents import Content, Readable, by_name, by_package, emptied, files_of, unequal
from .header import HeaderFile
from .headerset import HeaderSet


def preserve(database: Readable, upper: HeaderSet, *, base: AbstractSet[HeaderFile]) -> Content:
    """Put what the overlay changed in its database into the header set of its upper, which is not mounted.

    `base` is the host's set that the database was merged with. Returns the content of the database.
    Raises ToyError if database or set cannot be read, or if the database has lost all its packages.
    """
    listing = upper.list()
    stamp = database.stamp()
    packages = by_package(database)
    if base and not packages:
        raise emptied(database, upper)
    merged: AbstractSet[HeaderFile] = listing.upper_set().over(base)
    if upper.is_opaque() or upper.read_stamp() != stamp or unequal(packages, by_name(merged)):
        # No dump has seen the last changes, or somebody changed the set: the database counts.
        numbers = files_of(database)
        merged = numbers.keys()
        wanted = changes.own_part(base=base, merged=merged)
        for file in sorted(wanted.files - listing.files):
            for found in database.headers([numbers[file]]):
                upper.write(file, found.blob)
        arrange(upper, wanted)
        upper.write_stamp(stamp)
    return Content(database.path, merged, stamp)


def arrange(upper: HeaderSet, wanted: changes.UpperSet) -> None:
    """Make the set of an upper, which is not mounted, have just the entries in `wanted`; its files must be there."""
    listing = upper.list()
    if upper.is_opaque() or wanted != (listing.files, listing.whiteouts):
        upper.remove_stamp()
        for file in sorted(wanted.whiteouts - listing.whiteouts):
            upper.hide(file)
        for file in sorted((listing.files | listing.whiteouts) - wanted.files - wanted.whiteouts):
            upper.remove(file)
        upper.set_opaque(False)
