# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes alternatives follow the host's, as update-alternatives(1) keeps them, once the overlay's own ones are gone.

A name has a state in /var/lib/alternatives, of which the overlay has its own, and links: the one that people use, in
/usr/bin say, leads to one in /etc/alternatives, and that to the program. No package owns those of the second kind.
Those of libalternatives (alts(1)) are files of packages, and need nothing.
"""

import contextlib
import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from .. import process
from ..errors import ToyError
from ..events import FOLLOWED, Event
from ..filesystem import files, whiteout
from ..headers.package import is_plain
from ..overlay.view import UpperView
from .parts import Parts

_HOST = Path("/var")
_STATES = PurePath("lib/alternatives")
_TOOL = ("update-alternatives", "--admindir", f"/var/{_STATES}")
_LINKS = "/etc/alternatives"


_LONGEST = 1 << 16
"""Most bytes of a state that is taken seriously: that of java, with fifty links, has some thousand for each program."""

_START = "failed="
_END = '[ ! "$failed" ] || { printf "failed for:%s\\n" "$failed" >&2; exit 1; }'
"""The first and the last line of the script that changes states. Where one fails, it goes on with the next."""


class State(NamedTuple):
    """What a state says."""

    is_manual: bool
    """Whether somebody chose a program, rather than the priorities."""
    links: dict[str, str]
    """By name of a link in /etc/alternatives, the link that leads there; the name of the state comes first."""
    programs: dict[str, list[str]]
    """By each path that the first of them can lead to: its priority, and where the others lead then."""

    def entry(self, program: str) -> tuple[str, dict[str, str]] | None:
        """Return the priority of a program, and where each link leads with it; None if it is unknown."""
        if program not in self.programs:
            return None
        priority, *paths = self.programs[program]
        return priority, {name: path for name, path in zip([*self.links][1:], paths, strict=True) if path}


def follow(parts: Parts) -> list[Event]:
    """Drop states and links of the upper of names for which the overlay needs none of its own, so that the host's show.

    What somebody in the overlay chose stays, as long as it is there, and so does a state with a program of its own.
    Where the overlay removed the program that the host's link leads to, it needs a state as well. Such a state comes to
    know the host's programs, and forgets those that are gone.
    The machine's /var is to be filled afterwards. Returns the events.
    """
    happened = []
    script = []
    view = UpperView(parts.trees)
    for name in sorted({*_names(parts.trees.var), *_names(_HOST)}):
        content, host_content = (files.content(var, _STATES / name) for var in (parts.trees.var, _HOST))
        is_hosts = content is None or content == host_content
        if is_hosts and content is not None and not view.is_whiteout(f"{_LINKS}/{name}"):
            continue  # as most are
        ours, theirs = parse(name, content or b""), parse(name, host_content or b"")
        hosts_shows = theirs is not None and view.shows(_target_in_lower(view, f"{_LINKS}/{name}"))
        if content is None and theirs is not None:
            ours = State(is_manual=False, links=theirs.links, programs={})
        if ours is None or _is_a_packages(view, ours.links[name], name):
            continue
        leads_somewhere = view.shows(_target(view, f"{_LINKS}/{name}"))
        hosts = [*theirs.programs] if theirs is not None else []
        own = [program for program in ours.programs if program not in hosts]
        is_wanted = any(map(view.shows, own)) or (ours.is_manual and leads_somewhere and not is_hosts)
        if not is_wanted and (hosts_shows or not (leads_somewhere or any(map(view.shows, [*own, *hosts])))):
            if not is_hosts:
                _forget(parts, view, name, ours)
                happened.append(Event(FOLLOWED, f"the host (alternatives of {name})"))
            if theirs is not None and hosts_shows:
                _uncover(view, theirs)
            continue
        changes = [_remove(name, program) for program in ours.programs if not view.shows(program)]
        if theirs is not None:
            new = [program for program in theirs.programs if theirs.entry(program) != ours.entry(program)]
            changes += [_install(name, theirs, program) for program in new if _is_hosts(view, program)]
        # Both links may have been the host's.
        is_used = view.shows(ours.links[name])
        if not leads_somewhere or not (ours.is_manual or (is_used and view.has(f"{_LINKS}/{name}"))):
            changes.append(["--auto", name])
        elif not is_used:
            changes.append(["--set", name, _target(view, f"{_LINKS}/{name}")])
        if changes:
            script.append(_line(name, changes))
    if script:
        try:
            parts.run(["sh"], "\n".join([_START, *script, _END, ""]).encode(errors="surrogateescape"))
        except ToyError as error:
            why = error.why if isinstance(error, process.Failed) else error.what
            see = f"see: toy -n {parts.machine.name} -- {shlex.join([*_TOOL, '--get-selections'])}"
            happened.append(Event("stale", f"{_LINKS} (update-alternatives {why}; {see})"))
    return happened


def _line(name: str, changes: Sequence[Sequence[str]]) -> str:
    """Return the line of the script that makes changes of one state; it knows the name if one of them fails."""
    commands = " && ".join(f"{shlex.join([*_TOOL, '--quiet', *change])} </dev/null" for change in changes)
    return f'{{ {commands}; }} || failed="$failed "{shlex.quote(name)}'


def _remove(name: str, program: str) -> list[str]:
    return ["--remove", name, program]


def _install(name: str, state: State, program: str) -> list[str]:
    """Return the arguments that make a program of a state known, with its slaves."""
    entry = state.entry(program)
    assert entry is not None
    priority, slaves = entry
    words = ["--install", state.links[name], name, program, priority]
    for slave, path in slaves.items():
        words += ["--slave", state.links[slave], slave, path]
    return words


def _is_a_packages(view: UpperView, link: str, name: str) -> bool:
    """Say whether the host has something else than an alternative where people use it, such as one of alts(1)."""
    return view.is_in_lower(link) and _target_in_lower(view, link) != f"{_LINKS}/{name}"


def _is_hosts(view: UpperView, program: str) -> bool:
    """Say whether the overlay shows the host's program, and has none of its own at that path."""
    return view.shows(program) and not view.has(program)


def parse(name: str, content: bytes) -> State | None:
    """Return what a state says, or None if it makes no sense (update-alternatives(1), FILES; dpkg and chkconfig)."""
    if len(content) > _LONGEST:
        return None
    head, _, rest = content.decode(errors="surrogateescape").partition("\n\n")
    mode, *lines = head.split("\n")
    if mode not in ("auto", "manual") or len(lines) % 2 == 0:
        return None
    links = {name: lines[0], **dict(zip(lines[1::2], lines[2::2], strict=True))}
    size = 2 + (len(links) - 1)
    entries = rest.split("\n")
    starts = [start for start in range(0, len(entries) - size + 1, size) if entries[start]]
    programs = {entries[start]: entries[start + 1 : start + size] for start in starts}
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


def _target_in_lower(view: UpperView, path: str) -> str:
    """Return where a link of the lower leads, or its own path if that is no link."""
    with contextlib.suppress(OSError):
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(f"{view.lower}{path}")))
    return path


def _uncover(view: UpperView, theirs: State) -> None:
    """Remove the whiteouts over the host's links that update-alternatives in the overlay left behind."""
    for path in (path for each, link in theirs.links.items() for path in (link, f"{_LINKS}/{each}")):
        with contextlib.suppress(FileNotFoundError), view.entry(path) as (fd, name, status):
            if whiteout.is_whiteout(status):
                os.unlink(name, dir_fd=fd)


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
