# SPDX-License-Identifier: GPL-2.0-or-later
"""Triggers that the overlay has to run, for what the host's packages brought or took away.

rpm ran in the host, which does not have the overlay's packages. So an index that one of them keeps, of fonts say, would
lack what the host added; and so would one that a package of the host's keeps of files of the overlay's packages as
well, since that lies in the overlay. Their scripts run in the overlay, as they would have.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ..errors import quoted
from ..events import Event
from ..headers import header
from ..headers.header import HeaderFile
from ..headers.package import KINDS, Package, Trigger
from .state import State

_RUN = """
program=$1 script=$2
shift 2
# As rpm has them in a machine, see macros.machine.
PATH=$(rpm --eval '%{_install_script_path}' </dev/null) SYSTEMD_OFFLINE=1 SYSTEMD_IN_CHROOT=1
export PATH SYSTEMD_OFFLINE SYSTEMD_IN_CHROOT
[ "$script" ] || exec "$program"
file=$(mktemp) && printf '%s\\n' "$script" > "$file" || exit
case $program in
"<lua>") rpm --eval "%{lua:dofile('$file')}" ;;
*) "$program" "$file" "$@" ;;
esac
status=$?
rm -f "$file"
exit $status
"""

_LUA = """
arg = { "", %s }
function rpm.next_file() return io.read() end
"""
"""What a script in Lua finds when rpm runs it, but not in a macro, which is a way to run one by itself."""

_WITHOUT_PATHS = "transfiletriggerpostun"
"""The kind of triggers for files that do not get the paths: rpm does not know them any more by then."""

_TOY = "toy"
"""The package whose triggers keep header sets: that of the overlay is what is being changed."""


class Run(NamedTuple):
    """A trigger to run in the overlay."""

    package: str
    """Whose it is: NAME [EPOCH:]VERSION-RELEASE."""
    command: list[str]
    paths: list[str]
    """What it reads from stdin, each in a line."""
    again: str
    """The package of the overlay's that has the same done when it is installed once more: NAME."""


class Due(NamedTuple):
    """A trigger that is to be run, with what rpm would give it."""

    package: Package
    trigger: Trigger
    again: str
    paths: Sequence[str] = ()
    arguments: tuple[int, ...] = (0,)

    @property
    def problem(self) -> str | None:
        """Why it cannot be run, or None."""
        if self.trigger.kind == "triggerprein":
            return "its %triggerprein has to run before what the host brought"
        return None

    @property
    def run(self) -> Run:
        """How to run it."""
        program, script = self.trigger.program, self.trigger.script
        arguments = [*map(str, self.arguments)]
        if program == "<lua>":
            script = _LUA % ", ".join(arguments) + script
        command = ["sh", "-c", _RUN, "sh", program, script, *arguments]
        return Run(self.package.label, command, [*dict.fromkeys(self.paths)], self.again)


def due(
    state: State,
    *,
    before: AbstractSet[HeaderFile],
    after: AbstractSet[HeaderFile],
    own: AbstractSet[HeaderFile],
    kept: AbstractSet[HeaderFile],
) -> list[Due]:
    """Return the triggers to run, in the order in which rpm would.

    `before` and `after` are the header files that the overlay shows, without stand-ins; `own` are those of its own
    packages before, `kept` those that are left of them.
    """
    facts = state.facts
    others = facts.with_file_triggers() & (after - kept) if own else frozenset()
    packages = {file: facts.package(file) for file in (*sorted(kept), *sorted(others))}
    owners = {file.path: each.name for each in map(facts.package, sorted(own)) for file in each.files}
    found = [
        (file, trigger)
        for file, package in packages.items()
        for trigger in package.triggers
        # Of the host's packages, only those that keep something of files in the overlay.
        if package.name != _TOY and (file in kept or any(path.startswith(trigger.prefixes) for path in owners))
    ]
    if not found:
        return []
    came = [file.path for new in sorted(after - before) for file in facts.package(new).files]
    prefixes = {prefix for _, trigger in found if trigger.is_removal for prefix in trigger.prefixes}
    went = facts.paths_of(before - after, prefixes) if prefixes else []
    runs: list[Due] = []
    for file, trigger in found:
        package = packages[file]
        if not trigger.is_for_files:
            runs += _for_packages(state, package, trigger, before=before, after=after)
            continue
        paths = [path for path in (went if trigger.is_removal else came) if path.startswith(trigger.prefixes)]
        again = package.name
        if file in others:
            ours = [path for path in owners if path.startswith(trigger.prefixes)]
            again = owners[ours[0]]
            if file not in before and not trigger.is_removal:
                paths += ours  # what it made on the host is without them
        if paths:
            runs.append(Due(package, trigger, again, () if trigger.kind == _WITHOUT_PATHS else paths))
    return sorted(runs, key=lambda one: (KINDS.index(one.trigger.kind), -one.trigger.priority))


def _for_packages(
    state: State,
    package: Package,
    trigger: Trigger,
    *,
    before: AbstractSet[HeaderFile],
    after: AbstractSet[HeaderFile],
) -> Iterator[Due]:
    """Yield, for a trigger for packages, how to run it for each name of those that came or went."""
    changed = before - after if trigger.is_removal else after - before
    targets = {file for file in changed if any(state.facts.meets(file, each) for each in trigger.conditions)}
    # Another version comes before the one that it replaces goes.
    there = after if trigger.is_removal else after | before
    for name in sorted(set(map(header.package_of, targets))):
        number = sum(header.package_of(file) == header.package(package.name) for file in after)
        yield Due(package, trigger, package.name, (), (number, sum(header.package_of(file) == name for file in there)))


def stale(state: State, found: Iterable[Due]) -> Iterator[Event]:
    """Yield an event for each package with a trigger that cannot be run."""
    for label, problem, again in sorted({(one.package.label, one.problem, one.again) for one in found if one.problem}):
        yield event(state.machine, label, problem, again)


def event(machine: str, label: str, problem: str, again: str) -> Event:
    """Return the event for a trigger of a package that did not run to its end."""
    mend = f"toy -n {machine} -- zypper in -f {quoted(again)}"
    return Event("stale", f"what {label} keeps of others' files ({problem}: {mend})")
