# SPDX-License-Identifier: GPL-2.0-or-later
"""File triggers of the overlay's own packages, for what the host's packages brought or took away.

rpm ran in the host, which does not have these packages. So an index that one of them keeps, of fonts say, would lack
what the host added. Their scripts run in the overlay, as they would have, with the paths on stdin.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from ..headers.package import FileTrigger, Package

Command = list[str]

_MOST = 500_000
"""Most bytes of paths in one command line: the kernel takes 2 MiB (execve(2)). More paths take more commands."""

_RUN = """
program=$1 script=$2
shift 2
# As rpm has them in a machine, see macros.machine.
PATH=$(rpm --eval '%{_install_script_path}') SYSTEMD_OFFLINE=1 SYSTEMD_IN_CHROOT=1
export PATH SYSTEMD_OFFLINE SYSTEMD_IN_CHROOT
[ "$script" ] || { printf '%s\\n' "$@" | "$program"; exit; }
file=$(mktemp) && printf '%s\\n' "$script" > "$file" && printf '%s\\n' "$@" | "$program" "$file" 0
status=$?
rm -f "$file"
exit $status
"""

_TOY = "toy"
"""The package whose triggers keep header sets: that of the overlay is what is being changed."""

LUA = "<lua>"
"""The program of a script that only rpm can run."""


def due(
    packages: Iterable[Package], *, came: Sequence[str], went: AbstractSet[str]
) -> Iterator[tuple[Package, FileTrigger, list[str]]]:
    """Yield the triggers that are to be run, with their package and the paths for stdin.

    `came` are the paths of the host's new packages, `went` the directories of files of those that are gone.
    """
    for package in packages:
        if package.name == _TOY:
            continue
        for trigger in package.triggers:
            if trigger.is_removal:
                if any(f"{folder}/".startswith(prefix) for folder in went for prefix in trigger.prefixes):
                    yield package, trigger, []
            elif paths := [path for path in came if path.startswith(trigger.prefixes)]:
                yield package, trigger, paths


def commands(trigger: FileTrigger, paths: Sequence[str]) -> Iterator[Command]:
    """Yield the commands that run a trigger's script in the overlay."""
    start = ["sh", "-c", _RUN, "sh", trigger.program, trigger.script]
    batch: list[str] = []
    size = 0
    for path in paths:
        if batch and size + len(path) > _MOST:
            yield [*start, *batch]
            batch, size = [], 0
        batch.append(path)
        size += len(path) + 1
    yield [*start, *batch]
