# SPDX-License-Identifier: GPL-2.0-or-later
"""Remembers the packages that gave way to the host's: should the host lose those again, the user is told.

Nobody has their files by then, so they do not come back by themselves.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..errors import quoted
from ..filesystem import records
from ..headers.header import QuotedName
from .events import Event


class Retired(NamedTuple):
    """A package of the overlay that the user asked for, and that gave way to the host's."""

    label: str
    """NAME [EPOCH:]VERSION-RELEASE, for people."""
    to: tuple[QuotedName, ...]
    """The names of the host's packages that it gave way to."""


def read(path: Path) -> dict[str, Retired]:
    """Return what is stored in a record, by name; nothing if that cannot be read. Raises ToyError for a later one."""
    stored = records.read(path)
    try:
        return from_fields(stored["retired"])
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}


def write(path: Path, retired: Mapping[str, Retired]) -> None:
    """Store a record, durably: it is all that is known of these packages."""
    records.write(path, {"retired": to_fields(retired)}, durable=True)


def to_fields(retired: Mapping[str, Retired]) -> dict[str, object]:
    """Return retired packages as JSON can hold them."""
    return {name: one._asdict() for name, one in retired.items()}


def from_fields(stored: Mapping[str, Mapping[str, object]]) -> dict[str, Retired]:
    """Read what `to_fields` returned. Raises TypeError and the like for anything else."""
    found = {}
    for name, fields in stored.items():
        label, to = fields["label"], fields["to"]
        if not isinstance(label, str) or not isinstance(to, list):
            raise TypeError
        found[name] = Retired(label, tuple(QuotedName(str(other)) for other in to))
    return found


def renamed(known: Mapping[str, Retired], names: Mapping[QuotedName, QuotedName]) -> dict[str, Retired]:
    """Return them with the new names of packages that they gave way to; `names` has those by the old ones."""
    return {
        name: one._replace(to=tuple(dict.fromkeys([*one.to, *(names[old] for old in one.to if old in names)])))
        for name, one in known.items()
    }


def still_known(known: Mapping[str, Retired], now: AbstractSet[QuotedName]) -> dict[str, Retired]:
    """Return those of which a package is there that they gave way to; `now` are the names of the overlay's packages."""
    return {name: one for name, one in known.items() if not now.isdisjoint(one.to)}


def lost(
    machine: str, known: Mapping[str, Retired], *, before: AbstractSet[QuotedName], now: AbstractSet[QuotedName]
) -> Iterator[Event]:
    """Yield an event for each that lost the last package it gave way to, by the host: the overlay had it `before`."""
    for name, one in sorted(known.items()):
        if now.isdisjoint(one.to) and not before.isdisjoint(one.to) and QuotedName(name) not in now:
            yield Event(
                "gone",
                f"{one.label} (it was retired since the host had it, and the host has it no longer;"
                f" bring it back: toy -n {machine} -- zypper in {quoted(name)})",
            )
