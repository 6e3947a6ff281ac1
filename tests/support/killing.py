# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills toy at a system call of its own that changes files, and tells what a machine is like on disk then."""

import itertools
from collections import Counter
from collections.abc import Iterator

from host import Host

CALLS = (
    *("mkdir", "mkdirat", "rename", "renameat", "unlink", "unlinkat", "rmdir", "symlink", "symlinkat", "mknodat"),
    *("fchmod", "fchmodat", "fchown", "fchownat", "utimensat", "fsetxattr", "setxattr", "fsync"),
)

STATE = "/var/lib/toy"
_KEPT = "/tmp/kept"

_TREES = f"""
cd {STATE}
find . -path ./toy/work -prune -o -type d -printf '%p %m %U:%G\\n' | sort
find toy/overlay ! -type d -printf '%p %y %m %U:%G %l\\n' | sort
cd toy/var
find . -type l -printf '%p -> %l\\n' | sort
find . -type f -printf '%m %U:%G ' -exec sha256sum {{}} \\; | sort
"""


def keep(host: Host) -> None:
    """Keep all machines as they are now, for `back`."""
    host.sh(f"rm -rf {_KEPT}; cp --archive {STATE} {_KEPT}")


def back(host: Host) -> None:
    """Have all machines as they were at `keep`."""
    host.sh(f"find {STATE} -mindepth 1 -delete; rm -rf /run/toy; cp --archive {_KEPT}/. {STATE}")


def trees(host: Host) -> str:
    """Return what lies in the machine toy: all names, with owner and mode, and what is in the files of its /var."""
    return host.sh(_TREES)


def points(host: Host) -> list[tuple[str, int, str]]:
    """Launch, and return the calls that change files: the name, how many of the name there were, and the whole."""
    trace = "/tmp/trace"
    host.run("strace", "-qq", "-y", "-o", trace, "-e", f"trace={','.join(CALLS)}", "toy", "--", "true")
    return list(_counted(host.sh(f"cat {trace}").splitlines()))


def _counted(lines: list[str]) -> Iterator[tuple[str, int, str]]:
    numbers: Counter[str] = Counter()
    for line in lines:
        call = line.partition("(")[0]
        if call in CALLS:
            numbers[call] += 1
            yield call, numbers[call], line


def kill(host: Host, call: str, number: int, *, how: str = "signal=KILL") -> int:
    """Launch, and kill toy before such a call, or have it fail. Returns the status."""
    inject = f"--inject={call}:{how}:when={number}"
    command = ("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", inject, "toy", "--", "true")
    return host.run(*command, check=False).returncode


def sample(found: list[tuple[str, int, str]], around: str, *, most: int) -> list[tuple[str, int, str]]:
    """Return all points near the first call that speaks of `around`, and a sample of the others, evenly spread."""
    where = next(index for index, (_, _, line) in enumerate(found) if around in line)
    near = range(max(where - 5, 0), min(where + 12, len(found)))
    step = max(len(found) // most, 1)
    return [found[index] for index in sorted({*near, *itertools.islice(range(0, len(found), step), most)})]
