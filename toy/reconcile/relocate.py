# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves the overlay's files along where the host turned a directory into a symbolic link, or a link into a directory.

The directory of an upper would hide the link, with all that is where it leads: after /usr/sbin became a link to bin,
an overlay with one program of its own in /usr/sbin would have no other there. It is done before anything is planned, so
that the planner sees files where they belong. There is no record of it: what is left to move shows on disk.
"""

import itertools
import os
from collections.abc import Iterator
from typing import NamedTuple

from ..headers import header
from ..host.mounted import is_in
from ..overlay.move import MovableUpper
from . import rules
from .events import FOLLOWED, Event
from .parts import Parts
from .state import State


class Move(NamedTuple):
    """A path of the upper, and the path that what is there, or below it, belongs at."""

    source: str
    target: str


def relocate(parts: Parts, state: State) -> list[Event]:
    """Move files of the upper, and return the events. The facts in `state` are as after that."""
    upper = MovableUpper(parts.trees)
    own = state.upper.over(state.base) - state.base
    own_paths = {file.path for package in own for file in state.facts.package(package).files}
    happened = []
    for move in moves(state):
        moved = upper.move(*move)
        for path, now in moved.renamed:
            happened.append(Event("kept", f"{now} (it was {path}; {move.source} is {move.target} on the host now)"))
        for old, path in moved.covering:
            if old not in own_paths:
                happened.append(Event("shadowed", f"{path} (the host has another one; the overlay keeps its own)"))
        happened.append(Event(FOLLOWED, f"the host (what was in {move.source} is in {move.target})"))
    if happened:
        state.facts.look_again()
    return happened


def moves(state: State) -> list[Move]:
    """Return the moves that make the upper follow the host, outermost first.

    Paths that belong to packages which both sides changed are left to the rules for packages.
    """
    merged = state.upper.over(state.base)
    own, removed = merged - state.base, state.base - merged
    stand_ins = rules.amended(own, removed & (state.host | state.hidden), state.facts.package)
    rivals = {header.package_of(file) for file in own - stand_ins.keys() | removed - {*stand_ins.values()}}
    found: list[Move] = []
    into_links = itertools.starmap(Move, state.facts.tree.turned_into_links().items())
    for move in sorted({*into_links, *_out_of_links(state, own - stand_ins.keys())}):
        owners = map(header.package_of, state.facts.owners_on_host(move.source))
        if rivals.isdisjoint(owners) and not is_in(move.source, [known.source for known in found]):
            found.append(move)
    return found


def _out_of_links(state: State, own: frozenset[header.HeaderFile]) -> Iterator[Move]:
    """Yield a move for each file that the upper has where a link of the host's led that now leads elsewhere.

    In the place of the link there may be a directory.
    """
    facts, tree = state.facts, state.facts.tree
    for link, target in facts.outline(state.base - state.host).links.items():
        led = tree.lead(os.path.normpath(os.path.join(os.path.dirname(link), target)))
        if tree.lead(link) == led or not tree.is_in_lower(link):
            continue
        packages = map(facts.package, own | (state.host - state.base))
        paths = {file.path for package in packages for file in package.files if file.path.startswith(f"{link}/")}
        # What the host moved, whoever owns it there.
        went = (old for old in tree.files_below(led) if not tree.is_in_lower(old))
        paths |= {path for old in went if tree.is_in_lower(path := f"{link}{old.removeprefix(led)}")}
        for path in paths:
            old = f"{led}{path.removeprefix(link)}"
            if tree.has(old) and not facts.is_owned(old):
                yield Move(old, path)
