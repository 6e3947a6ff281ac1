# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of what came from the host into a machine's own /var, see `var.seed`."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..filesystem import records
from ..headers import header
from ..headers.header import HeaderFile
from ..headers.package import is_plain
from ..host.mounted import is_in

_VAR = "/var"

ALIASES = {_VAR: _VAR}
"""The aliases where there are none but /var itself."""


class Seeded(NamedTuple):
    """What is stored. How a file looks is the text of `looks.of`."""

    owned: dict[HeaderFile, list[str]]
    """What packages own in /var, by their header files."""
    aliases: dict[str, str]
    """The paths by which packages call places in /var, each with that place."""
    came: dict[str, str]
    """How each file looked that came from the host, by its path in /var."""
    coming: dict[str, str] | None = None
    """How each file looks on the host that is about to be copied; None if all that was to be done is done."""


def read(record: Path) -> Seeded | None:
    """Return what is stored in a record, or None if that cannot be read. Raises ToyError as `records.read`."""
    stored = records.read(record)
    if isinstance(stored, list) and len(stored) == 2:  # before there was a version
        stored = {"owned": stored[0], "came": stored[1]}
    try:
        owned, aliases, coming = stored["owned"], stored.get("aliases", ALIASES), stored.get("coming")
        if not all(map(header.is_file_name, owned)):
            return None
        return Seeded(
            {file: _paths(paths) for file, paths in owned.items()},
            {str(path): str(lead) for path, lead in aliases.items()},
            _looks(stored["came"]),
            None if coming is None else _looks(coming),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def write(record: Path, seeded: Seeded) -> None:
    """Store a record, durably."""
    fields = {name: value for name, value in seeded._asdict().items() if value is not None}
    records.write(record, fields, durable=True)


def is_unfinished(record: Path) -> bool:
    """Say whether something was recorded that was to be done and is not."""
    known = read(record)
    return known is not None and known.coming is not None


def owned(record: Path, aliases: Mapping[str, str]) -> dict[HeaderFile, AbstractSet[str]] | None:
    """Return the `owned` of a record, or None if that cannot be read, or goes by other aliases."""
    known = read(record)
    if known is None or known.aliases != aliases:
        return None
    return {file: frozenset(paths) for file, paths in known.owned.items()}


def renumber(record: Path, to: Mapping[int, int], *, of_users: bool) -> None:
    """Have files that came from the host count as such with other numbers of users or groups (module `renumber`)."""
    known = read(record)
    if known is None:
        return
    for looks in (known.came, known.coming or {}):
        for name, look in looks.items():
            if found := re.fullmatch(r"(\d+) (\d+):(\d+) (.+)", look):  # else there is no owner in it
                mode, user, group, rest = found[1], int(found[2]), int(found[3]), found[4]
                user, group = (to.get(user, user), group) if of_users else (user, to.get(group, group))
                looks[name] = f"{mode} {user}:{group} {rest}"
    write(record, known)


def _paths(paths: list[str]) -> list[str]:
    """Return paths of a record. Raises ValueError for one that is not plain, or not in /var."""
    if not all(is_plain(path) and is_in(path, (_VAR,)) for path in paths):
        raise ValueError("it names what no launch copies")
    return paths


def _looks(stored: Mapping[str, str]) -> dict[str, str]:
    """Return texts of a record by paths in /var. Raises ValueError for a path that is not plain."""
    if not all(is_plain(f"/{name}") for name in stored):
        raise ValueError("it names what no launch copies")
    return {name: str(look) for name, look in stored.items()}
