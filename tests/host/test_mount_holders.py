# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is taken for one who has a machine mounted: two mounts of one upper are undefined."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from host import Host
from overlay import keepers, refused, start, toy
from truth import OVERLAY

MOUNT_AS = """
mount -t tmpfs tmpfs /tmp
cd /tmp
mkdir lower upper work merged
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work "$1" merged
shift
exec "$@"
"""
"""Mounts an overlay with a source of one's choice, and then runs a command."""

WAIT = ("sh", "-c", "echo waiting; exec sleep 1000")

HOLDERS = """
import sys; sys.path.insert(0, "/usr/lib/toy")
from toy.overlay.mount_holders import holders
print(*holders(sys.argv[1]))
"""

UPPER = "/var/lib/toy/toy/overlay"


def holders(host: Host) -> set[int]:
    """Return the processes that count as those who have the machine mounted."""
    return set(map(int, host.run("/usr/bin/python3", "-c", HOLDERS, UPPER).stdout.split()))


@contextmanager
def waiting(*command: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Have a command run that says when it is ready, on this machine; all that it started is ended at the end."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


class TestHolders:
    """Who is taken for one who has the machine mounted."""

    SOMEBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--map-root-user", "--mount")

    @pytest.fixture
    def source(self, host: Host) -> str:
        """What the machine's overlay is mounted as."""
        toy(host, "true")
        upper = (host.toy / "toy/overlay").stat()
        return f"toy:{upper.st_dev}:{upper.st_ino}"

    @pytest.mark.parametrize("more", [(), ("--pid", "--fork", "--kill-child")])
    def test_nobody_can_forge_it(self, host: Host, source: str, more: tuple[str, ...]) -> None:
        with waiting(*self.SOMEBODY, *more, "sh", "-ec", MOUNT_AS, "sh", source, *WAIT):
            assert f" overlay {source} " in host.sh("cat /proc/[0-9]*/mountinfo 2>/dev/null || :")
            assert holders(host) == set()
            host.run("rm", "/var/lib/toy/toy/seen")
            done = toy(host, "true")
            assert (done.returncode, done.stderr) == (0, "")

    def test_those_of_a_launch_in_namespaces_of_their_own_count(self, source: str, host: Host) -> None:
        # As bwrap(1) makes them. A host of these tests is a chroot, and nobody gets a user namespace in one.
        root = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        with waiting(*root, "sh", "-ec", MOUNT_AS, "sh", source, *self.SOMEBODY, *WAIT) as process:
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert holders(host) == {process.pid, int(child)}

    def test_one_who_came_from_outside_and_stays(self, host: Host) -> None:
        process = start(host, *OVERLAY, "sh", "-c", "echo waiting; exec sleep 4245")
        (payload,) = host.run("pgrep", "-x", "-f", "sleep 4245").stdout.split()
        with waiting("nsenter", f"--mount=/proc/{payload}/ns/mnt", *WAIT) as stays:
            (keeper,) = keepers(host)
            os.kill(keeper, signal.SIGKILL)
            process.communicate()
            said = refused(host, *OVERLAY, "true")
            assert said == (
                f"{UPPER} is still mounted by process {stays.pid};"
                f" see what it is, end it, and try again: ps {stays.pid}; kill {stays.pid}"
            )
        assert toy(host, "true").returncode == 0
