# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves the overlay's files along where the host turned a directory into a symbolic link, or a link into a directory.

The directory of an upper would hide the link, with all that is where it leads: after /usr/sbin became a link to bin,
an overlay with one program of its own in /usr/sbin would have no other there. It is done before anything is planned, so
that the planner sees files where they belong. Whoever interrupts it leaves the rest where the next launch finds it.
"""

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..headers import header
from ..headers.header import HeaderFile
from ..host.mounted import is_in
from ..overlay.move import MovableUpper
from . import decisions, moved, rules
from .events import FOLLOWED, Event
from .parts import Parts
from .state import State, Tree

_MOST_LINKS = 40
"""Links that are followed on one way, as in the kernel (path_resolution(7))."""


class Move(NamedTuple):
    """A path of the upper, and the path that what is there, or below it, belongs at."""

    source: str
    target: str


class Relocated(NamedTuple):
    """What relocation did."""

    events: list[Event]
    covering: list[str]
    """The paths of files, of no package of the overlay's, that are in front of other files of the host's now."""


def relocate(parts: Parts, state: State) -> Relocated:
    """Move files of the upper. The facts in `state` are as after that."""
    todo = moves(state)
    if not todo:
        return Relocated([], [])

    def kept(path: str, now: str) -> Event:
        move = next(move for move in todo if is_in(path, [move.source]))
        return Event("kept", f"{now} (it was {path}; {move.source} is {move.target} on the host now)")

    upper = MovableUpper(parts.trees, lambda path, now: parts.journal.keep([kept(path, now)]))
    own = state.upper.over(state.base) - state.base
    own_paths = {file.path for package in own for file in state.facts.package(package).files}
    record = {link: dict(paths) for link, paths in state.moved.items() if not _is_directory_again(state, link)}
    links = state.facts.tree.turned_into_links()
    happened, covering = [], []
    for move in todo:
        result = upper.move(*move)
        happened += [kept(*paths) for paths in result.renamed]
        covering += [path for old, path in result.covering if old not in own_paths]
        if result.paths:
            happened.append(Event(FOLLOWED, f"the host (what was in {move.source} is in {move.target})"))
        if result.paths and move.source in links:
            record.setdefault(move.source, {}).update(result.paths)
            moved.write(Path(parts.machine.moved), record)  # at once: nothing else would say where they were
    if record != state.moved:
        moved.write(Path(parts.machine.moved), record)
    state.facts.look_again()
    return Relocated(happened, covering)


def moves(state: State) -> list[Move]:
    """Return the moves that make the upper follow the host, outermost first.

    Paths that belong to packages which both sides changed are left to the rules for packages, unless the overlay's
    give way.
    """
    merged = state.upper.over(state.base)
    own, removed = merged - state.base, state.base - merged
    stand_ins = rules.amended(own, removed & (state.host | state.hidden), state.facts.package)
    into_links = itertools.starmap(Move, state.facts.tree.turned_into_links().items())
    perhaps = sorted({*into_links, *_out_of_links(state, own - stand_ins.keys()), *_back(state)})
    if not perhaps:
        return []
    stays = decisions.decide(state, stand_ins).upper
    rivals = set(map(header.package_of, stays.files | stays.whiteouts))
    found: list[Move] = []
    for move in perhaps:
        owners = map(header.package_of, state.facts.owners_on_host(move.source))
        if rivals.isdisjoint(owners) and not is_in(move.source, [known.source for known in found]):
            found.append(move)
    return found


def _is_directory_again(state: State, link: str) -> bool:
    """Say whether the host has a directory, or anything else but a link, where it had a link."""
    tree = state.facts.tree
    return tree.is_in_lower(link) and tree.lead(link) == link


def _back(state: State) -> Iterator[Move]:
    """Yield a move for each file that moved since the host had a link, where it has a directory again."""
    facts = state.facts
    for link, paths in state.moved.items():
        if _is_directory_again(state, link):
            yield from (Move(now, path) for path, now in paths.items() if not facts.is_owned(now))


def _out_of_links(state: State, own: frozenset[HeaderFile]) -> Iterator[Move]:
    """Yield a move for each file that the upper has where a link of the host's led that now leads elsewhere.

    In the place of the link there may be a directory.
    """
    facts, tree = state.facts, state.facts.tree
    gone = facts.outline(state.base - state.host).links
    for link in gone:
        led = tree.lead(_end(link, gone))
        # Most links lead to files: those to libraries.
        if not tree.has_folder(led) or tree.lead(link) == led or not tree.is_in_lower(link):
            continue
        packages = map(facts.package, own | (state.host - state.base))
        # A package may have another name for the directory: /sbin, say, for /usr/sbin.
        names = (name for package in packages for file in package.files for name in (file.path, _lead(tree, file.path)))
        paths = {path for path in names if path.startswith(f"{link}/")}
        # What the host moved, whoever owns it there.
        went = (old for old in tree.files_below(led) if not tree.is_in_lower(old))
        paths |= {path for old in went if tree.is_in_lower(path := f"{link}{old.removeprefix(led)}")}
        for path in paths:
            old = f"{led}{path.removeprefix(link)}"
            if tree.has(old) and not facts.is_owned(old):
                yield Move(old, path)


def _end(link: str, links: Mapping[str, str]) -> str:
    """Return where a link led by its text, and the others by theirs."""
    path = link
    for _ in range(_MOST_LINKS):
        if path not in links:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), links[path]))
    return path


def _lead(tree: Tree, path: str) -> str:
    """Return a path by way of the links that its directory's path has now."""
    folder, name = os.path.split(path)
    return os.path.join(tree.lead(folder), name)
