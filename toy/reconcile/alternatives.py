# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes alternatives follow the host's, as update-alternatives(1) keeps them, once the overlay's own ones are gone.

A name has a state in /var/lib/alternatives, of which the overlay has its own, and links: the one that people use, in
/usr/bin say, leads to one in /etc/alternatives, and that to the program. No package owns those of the second kind.
Those of libalternatives (alts(1)) are files of packages, and need nothing.
"""

import contextlib
import os
import stat
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import ToyError
from ..filesystem import files
from ..headers.package import is_plain
from ..overlay.view import UpperView
from .events import FOLLOWED, Event
from .parts import Parts

_STATES = PurePath("lib/alternatives")
_LINKS = "/etc/alternatives"


class State(NamedTuple):
    """What a state says."""

    is_manual: bool
    """Whether somebody chose a program, rather than the priorities."""
    links: dict[str, str]
    """By name of a link in /etc/alternatives, the link that leads there; the name of the state comes first."""
    programs: list[str]
    """Where the first of them can lead."""


def follow(parts: Parts) -> list[Event]:
    """Drop states and links of the upper of names for which it has no program of its own, so that the host's show.

    What somebody in the overlay chose stays, as long as it is there. A name for which the overlay has a program of its
    own keeps its state; if its link leads nowhere, another program is chosen. The machine's /var is to be filled
    afterwards. Returns the events.
    """
    happened = []
    view = UpperView(parts.trees)
    for name in _names(parts.trees.var):
        content = files.content(parts.trees.var, _STATES / name)
        ours, theirs = parse(name, content or b""), parse(name, files.content(Path("/var"), _STATES / name) or b"")
        if ours is None or content == files.content(Path("/var"), _STATES / name):
            continue
        leads_somewhere = view.shows(_target(view, f"{_LINKS}/{name}"))
        own = [program for program in ours.programs if theirs is None or program not in theirs.programs]
        has_own = any(map(view.shows, own))
        if not has_own and not (ours.is_manual and leads_somewhere):
            _forget(parts, view, name, ours)
            happened.append(Event(FOLLOWED, f"the host (alternatives of {name})"))
        elif not leads_somewhere:
            command = ["update-alternatives", "--admindir", f"/var/{_STATES}", "--auto", name]
            try:
                parts.run(command)
            except ToyError as error:
                happened.append(Event("stale", f"{_LINKS}/{name} ({error.what})"))
    return happened


def parse(name: str, content: bytes) -> State | None:
    """Return what a state says, or None if it makes no sense (update-alternatives(1), FILES; dpkg and chkconfig)."""
    head, _, rest = content.decode(errors="surrogateescape").partition("\n\n")
    mode, *lines = head.split("\n")
    if mode not in ("auto", "manual") or len(lines) % 2 == 0:
        return None
    links = {name: lines[0], **dict(zip(lines[1::2], lines[2::2], strict=True))}
    size = 2 + (len(links) - 1)
    entries = rest.split("\n")
    programs = [entry for entry in entries[::size] if entry]
    if not all(map(is_plain, [*links.values(), *programs])) or any("/" in each or not each for each in links):
        return None
    return State(mode == "manual", links, programs)


def _names(var: Path) -> list[str]:
    """Return the names that a /var has states of."""
    with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(var, _STATES) as fd:
        return sorted(os.listdir(fd))
    return []


def _target(view: UpperView, path: str) -> str:
    """Return where a link of the upper leads, or its own path if that is no link."""
    with contextlib.suppress(OSError), view.entry(path) as (fd, name, _):
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(name, dir_fd=fd)))
    return path


def _forget(parts: Parts, view: UpperView, name: str, ours: State) -> None:
    """Remove a state of the machine, and the links in the upper that belong to it."""
    for each, link in ours.links.items():
        leads_there = _target(view, link) == f"{_LINKS}/{each}"
        for path in (link, f"{_LINKS}/{each}") if leads_there else (f"{_LINKS}/{each}",):
            with contextlib.suppress(FileNotFoundError), view.entry(path) as (fd, entry, status):
                if stat.S_ISLNK(status.st_mode):
                    os.unlink(entry, dir_fd=fd)
    with contextlib.suppress(FileNotFoundError, files.NotADirectory):
        with files.directory(parts.trees.var, _STATES) as fd:
            files.remove(fd, name)
