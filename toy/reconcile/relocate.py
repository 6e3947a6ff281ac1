# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves the overlay's files along where the host turned a directory into a symbolic link, or a link into a directory.

The directory of an upper would hide the link, with all that is where it leads: after /usr/sbin became a link to bin,
an overlay with one program of its own in /usr/sbin would have no other there. It is done before anything is planned, so
that the planner sees files where they belong. Whoever interrupts it leaves the rest where the next launch finds it.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..events import FOLLOWED, Event
from ..headers import header
from ..headers.header import HeaderFile
from ..headers.package import folders
from ..host.mounted import is_in
from ..overlay.move import MovableUpper
from . import decisions, moved, rules
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

    state: State
    """The state after it; what moved back or elsewhere counts as moved as well."""
    events: list[Event]
    covering: list[str]
    """The paths of files, of no package of the overlay's, that are in front of other files of the host's now."""


def relocate(parts: Parts, state: State) -> Relocated:
    """Move files of the upper."""
    todo = moves(state)
    again = [link for link in state.moved.paths if _is_directory_again(state, link)]
    if not todo and not again:
        return Relocated(state, [], [])

    own = state.upper.over(state.base) - state.base
    own_paths = {file.path for package in own for file in state.facts.package(package).files}
    paths, gone, copies = ({link: dict(known) for link, known in each.items()} for each in state.moved)
    record = moved.Moved(paths, gone, copies)
    links = _into_links(state)

    def write() -> None:
        moved.write(Path(parts.machine.moved), record)

    def move_of(path: str) -> Move:
        return next(move for move in todo if is_in(path, [move.source]))

    def kept(path: str, now: str) -> Event:
        move = move_of(path)
        return Event("kept", f"{now} (it was {path}; {move.source} is {move.target} on the host now)")

    def will_rename(path: str, now: str) -> None:
        parts.journal.keep([kept(path, now)])
        if (link := move_of(path).source) in links:
            paths[link][path] = now
            write()

    upper = MovableUpper(parts.trees, will_rename)
    on_the_way = {part for move in todo for part in (move.target, *folders(move.target))}
    for link, target in state.facts.outline(state.base - state.host).links.items():
        if link in on_the_way:
            upper.make_way(link, target)
    happened, covering = [], []
    went: dict[str, dict[str, str]] = {}
    for move in todo:
        is_into_link, before = move.source in links, paths.get(move.source, {})
        if is_into_link:  # before it is done: nothing else would say where they were
            below = state.facts.tree.files_below(move.source)
            paths[move.source] = before | {path: f"{move.target}{path.removeprefix(move.source)}" for path in below}
            write()
        result = upper.move(*move, packages=state.facts if is_into_link else None)
        happened += [kept(*both) for both in result.renamed]
        covering += [path for old, path in result.covering if old not in own_paths]
        if result.paths:
            happened.append(Event(FOLLOWED, f"the host (what was in {move.source} is in {move.target})"))
        if is_into_link:
            paths[move.source] = before | result.paths
            gone.setdefault(move.source, {}).update(result.links)
            copies.setdefault(move.source, {}).update(result.copies)
            write()
        else:
            went[move.source] = result.paths
    for link in again:
        for path, target in gone.pop(link, {}).items():
            upper.link(path, target)
        for path, other in copies.pop(link, {}).items():
            upper.copy(other, path)
        del paths[link]
    if record != state.moved:
        write()
    state.facts.look_again()
    return Relocated(state._replace(moved=record._replace(paths=paths | went)), happened, covering)


def moves(state: State) -> list[Move]:
    """Return the moves that make the upper follow the host: back to where files were, and then outermost first.

    Paths that belong to packages which both sides changed are left to the rules for packages, unless the overlay's
    give way.
    """
    merged = state.upper.over(state.base)
    own, removed = merged - state.base, state.base - merged
    stand_ins = rules.amended(own, removed & (state.host | state.hidden), state.facts.package)
    into_links = itertools.starmap(Move, _into_links(state).items())
    back = sorted(_back(state, own - stand_ins.keys()))
    perhaps = [*back, *sorted({*into_links, *_out_of_links(state, own - stand_ins.keys())})]
    if not perhaps:
        return []
    stays = decisions.decide(state, stand_ins).upper
    rivals = set(map(header.package_of, stays.files | stays.whiteouts))
    found: dict[str, Move] = {}
    for move in perhaps:
        owners = map(header.package_of, state.facts.owners_on_host(move.source))
        if rivals.isdisjoint(owners) and found.keys().isdisjoint((move.source, *folders(move.source))):
            found[move.source] = move
    return [*found.values()]


def _into_links(state: State) -> Mapping[str, str]:
    """Return where links of the host's lead, by path, where the overlay has directories that were there first."""
    gone, facts, tree = state.base - state.host, state.facts, state.facts.tree
    own = {header.package_of(file): facts.package(file) for file in state.upper.files}
    # What the overlay has a newer version of was hidden: that version had the directory before the host had the link.
    hidden = {
        file
        for file in gone & state.hidden
        if (ours := own.get(header.package_of(file))) is None or not facts.is_newer(ours, facts.package(file))
    }
    were = _links(state, hidden) | {_lead(tree, link) for link in facts.outline(gone).links}
    return tree.turned_into_links(_links(state, state.host - state.base) - were)


def _links(state: State, packages: Iterable[HeaderFile]) -> set[str]:
    """Return the paths of the links of packages, by way of the links that their directories' paths have now."""
    files = (file for each in packages for file in state.facts.package(each).files)
    return {_lead(state.facts.tree, file.path) for file in files if file.target}


def _is_directory_again(state: State, link: str) -> bool:
    """Say whether the host has a directory, or anything else but a link, where it had a link."""
    tree = state.facts.tree
    return tree.is_in_lower(link) and not tree.is_link(link) and _lead(tree, link) == link


def _back(state: State, own: frozenset[HeaderFile]) -> Iterator[Move]:
    """Yield a move for each file that moved since the host had a link, where it has a directory again.

    What the overlay's own packages have at the new place by now, and not at the old one, stays.
    """
    found: dict[str, str] = {}
    every = list(state.moved.paths.items())
    for index, (link, paths) in enumerate(every, 1):
        if _is_directory_again(state, link):
            for path, now in _traced(paths, [later for _, later in every[index:]]).items():
                found.setdefault(now, path)  # behind two links, it was in front of the first of them to begin with
    owned = _own_paths(state, own) if found else frozenset()
    yield from (Move(now, path) for now, path in found.items() if path in owned or now not in owned)


def _traced(paths: Mapping[str, str], moves: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """Return the paths that files have, by those that they had, after `moves`, each from old to new paths."""
    for went in moves:
        was = {now: path for path, now in paths.items()}
        split = {
            f"{was[above]}{old.removeprefix(above)}": new
            for old, new in went.items()
            for above in folders(old)
            if above in was
        }
        paths = {**{path: went.get(now, now) for path, now in paths.items()}, **split}
    return paths


def _own_paths(state: State, own: frozenset[HeaderFile]) -> frozenset[str]:
    """Return the paths of the files of packages, also as the links on the way lead."""
    files = (file for each in own for file in state.facts.package(each).files)
    return frozenset(path for file in files for path in (file.path, _lead(state.facts.tree, file.path)))


def _out_of_links(state: State, own: frozenset[HeaderFile]) -> Iterator[Move]:
    """Yield a move for each file or whiteout of the upper where a link of the host's led that now leads elsewhere.

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
            if (tree.has(old) or tree.is_whiteout(old)) and not facts.is_owned(old):
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
