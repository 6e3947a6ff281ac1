# SPDX-License-Identifier: GPL-2.0-or-later
"""What other users of the host may try: nobody waits for them."""

import subprocess

import pytest
from backends import FILE
from host import Host
from hostile import DATABASE, SET, STATE
from overlay import refused, start
from truth import OVERLAY

# With ndb, rpm itself waits for the lock of a file that everybody can lock.
OF_SQLITE = [f"{DATABASE}/{FILE}"] if FILE == "rpmdb.sqlite" else []


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class TestOtherUsers:
    """Other users of the host."""

    @pytest.mark.parametrize("path", [SET, f"{SET}/.stamp", DATABASE, f"{DATABASE}/.rpm.lock", *OF_SQLITE])
    def test_nobody_waits_for_their_locks(self, victim: Host, path: str) -> None:
        lock = ("flock", "--shared", path, "sh", "-c", "echo waiting; read line")
        process = subprocess.Popen(victim.command(*NOBODY, *lock), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        for command in (("toy", "dump"), (*OVERLAY, "true"), ("toy", "status")):
            assert victim.run(*command, timeout=60).returncode == 0
        victim.sh(f"{' '.join(victim.rpm)} -e legacy", timeout=60)
        process.communicate()

    def test_they_can_lock_nothing_that_is_locked(self, victim: Host) -> None:
        process = start(victim, "toy", "--", "sh", "-c", "echo waiting; read line")
        paths = f"{SET}/.lock /run/toy /var/lib/toy /var/lib/toy/toy"
        assert victim.sh(f"stat --format='%a %U' {paths}").splitlines() == 4 * ["700 root"]
        assert victim.run(*NOBODY, "flock", f"{SET}/.lock", "true", check=False).returncode != 0
        process.communicate()

    @pytest.mark.parametrize("mask", ["000", "077", "022"])
    def test_modes_are_the_same_whatever_the_umask(self, host: Host, mask: str) -> None:
        host.sh(f"umask {mask}; toy -- zypper -n install hello")
        modes = host.sh(
            f"cd {STATE}; stat --format='%a %n' . .. overlay var rpmdb rpmdb/* base log seen 2>/dev/null || :"
        )
        wanted = {".": "700", "..": "700", "overlay": "755", "var": "755", "rpmdb": "755", f"rpmdb/{FILE}": "644"}
        found = {name: mode for mode, name in map(str.split, modes.splitlines())}
        assert wanted.items() <= found.items()
        assert host.sh(f"umask {mask}; toy -- sh -c umask") == "0022\n"
        assert host.run("stat", "--format=%a", "/run/toy").stdout == "700\n"

    def test_a_directory_that_they_could_write_in_before_is_taken_from_them(self, host: Host) -> None:
        host.sh("mkdir -m 777 /run/toy; mkdir -pm 777 /var/lib/toy/toy; chmod 777 /var/lib/toy")
        host.run(*OVERLAY, "true")
        assert host.sh("stat --format=%a /run/toy /var/lib/toy /var/lib/toy/toy").split() == 3 * ["700"]

    @pytest.mark.parametrize("script", ["mkdir /run/toy; chown 65534 /run/toy", "ln -s /tmp /run/toy"])
    def test_a_directory_of_theirs_is_refused(self, host: Host, script: str) -> None:
        host.sh(script)
        assert refused(host, *OVERLAY, "true").startswith("/run/toy is not a directory, or does not belong to root; ")

    def test_their_datagrams_are_nothing_to_a_launch(self, host: Host) -> None:
        own = ("unshare", "--net")  # that of the datagrams
        script = "echo waiting; read line; exit 7"
        process = subprocess.Popen(
            host.command(*own, "toy", "--", "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        abstract = [line for line in host.sh(f"cat /proc/{process.pid}/net/unix").splitlines() if " @" in line]
        assert abstract == []
        assert host.run(*NOBODY, "ls", "/run/toy", check=False).returncode != 0
        process.communicate()
        assert process.returncode == 7

    def test_a_queue_for_one_datagram_is_enough(self, host: Host) -> None:
        script = "echo 1 > /proc/sys/net/unix/max_dgram_qlen; toy -- sh -c 'exit 7'"
        done = host.run(
            "unshare", "--net", "--mount", "sh", "-c", f"mount -t proc proc /proc; {script}", check=False, timeout=60
        )
        assert done.returncode == 7
