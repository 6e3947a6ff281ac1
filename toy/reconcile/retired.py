# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of the packages that gave way to the host's; `losses` says what it is for."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..filesystem import records
from ..headers.header import QuotedName


class Retired(NamedTuple):
    """A package of the overlay that the user asked for, and that gave way to the host's."""

    label: str
    """NAME [EPOCH:]VERSION-RELEASE, for people."""
    to: tuple[QuotedName, ...]
    """The names of the host's packages that it gave way to; of one of several versions, `header.label` of that."""

    @property
    def name(self) -> str:
        """NAME."""
        return self.label.rpartition(" ")[0]

    @property
    def evr(self) -> tuple[str, str, str]:
        """Epoch, version, release, as in `Package.evr`."""
        epoch, _, rest = self.label.rpartition(" ")[2].rpartition(":")
        version, _, release = rest.rpartition("-")
        return epoch or "0", version, release


def read(path: Path) -> dict[str, Retired]:
    """Return what is stored in a record, as `State.retired`; nothing if that cannot be read.

    Raises ToyError for a later one.
    """
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


def _quoted_name(name: object) -> QuotedName:
    return QuotedName(records.text(name))


def from_fields(stored: Mapping[str, Mapping[str, object]]) -> dict[str, Retired]:
    """Read what `to_fields` returned. Raises AttributeError, LookupError, TypeError or ValueError for anything else."""
    found = {}
    for name, fields in stored.items():
        to = fields["to"]
        if not isinstance(to, list):
            raise TypeError
        found[records.text(name)] = Retired(records.text(fields["label"]), tuple(map(_quoted_name, to)))
    return found
