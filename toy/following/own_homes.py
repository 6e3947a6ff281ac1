# SPDX-License-Identifier: GPL-2.0-or-later
"""Says which homes of the overlay's own are hidden, since the host has homes there now, which are shared.

That happens once both have a user of one name. The overlay's files stay where they are, and show again if the host's
home goes.
"""

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from ..events import Event
from ..filesystem import files, records
from ..host import homes, mounted
from ..machine import Machine


def follow(machine: Machine, keep: Callable[[list[Event]], None]) -> list[Event]:
    """Return an event for each home that is hidden, and was not at the last launch; `keep` gets them before."""
    record = Path(machine.homes)
    stored = records.read(record)
    known = stored.get("hidden") if isinstance(stored, dict) else None
    places = {path: _place(machine, path) for path in homes.names()}
    hidden = {path: place for path, place in places.items() if _has_files(*place)}
    events = [
        Event("kept", f"{path} of the overlay's own in {os.path.join(*place)} (the host has a home there, which shows)")
        for path, place in sorted(hidden.items())
        if not isinstance(known, list) or path not in known
    ]
    if events:
        keep(events)
    if hidden or known:
        records.write(record, {"hidden": sorted(hidden)})
    return events


def _place(machine: Machine, path: str) -> tuple[Path, PurePath]:
    """Return where the overlay has a path of its own: a tree, and a path in it."""
    if mounted.is_in(path, ("/var",)):
        return Path(machine.var), PurePath(os.path.relpath(path, "/var"))
    return Path(machine.overlay), PurePath(path.lstrip("/"))


def _has_files(tree: Path, below: PurePath) -> bool:
    """Say whether there is a directory with anything in it."""
    try:
        with files.directory(tree, below) as fd:
            return bool(os.listdir(fd))
    except (FileNotFoundError, files.NotADirectory):
        return False
