# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing of a session of `toy --host` lives on, nobody else is killed, and what it did is not lost."""

import contextlib
import itertools
import os
import signal
import subprocess

import pytest
from host import Host
from image import HELLO, RPMS
from overlay import keepers, refused, start, toy
from packages import build
from truth import OVERLAY, is_current, packages

WITH = ("toy", "--host", "--")

MARK = f"1{os.getpid():08}"
"""A number of seconds by which processes of this test are known, while others run."""

# The last one is never there when somebody looks: each of its processes forks the next one, and ends.
LEFT = f"""
trap '' HUP TERM
(setsid sh -c 'trap "" HUP TERM; sleep {MARK} & sleep {MARK} & wait' >/dev/null 2>&1 &)
(sleep {MARK} >/dev/null 2>&1 &)
/usr/bin/python3 -c 'import os
while True:
    if os.fork():
        os._exit(0)' {MARK} >/dev/null 2>&1 &
"""


def left_over() -> list[str]:
    return subprocess.run(["pgrep", "-f", f" {MARK}$"], capture_output=True, text=True, check=False).stdout.split()


def rows() -> list[list[str]]:
    """Return PID, parent's PID and command line of each process."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    return [line.split(None, 2) for line in lines.splitlines()]


def test_nothing_is_left_of_a_session(host: Host) -> None:
    host.run(*WITH, "sh", "-c", LEFT)
    assert left_over() == []


WATCHING = ("toy", "its guard", "its monitor", "the keeper")
SETS = [some for number in range(1, 5) for some in itertools.combinations(WATCHING, number)]


def nothing_is_left(host: Host, which: tuple[str, ...]) -> None:
    """Kill some of those who watch over a session, and see that nothing of it is left, and nothing lost."""
    build(host, [HELLO], RPMS)
    install = f"{' '.join(host.rpm)} -i --notriggers {RPMS}/{HELLO.file} >&2"
    process = start(host, *WITH, "sh", "-c", f"{install}\n{LEFT}\necho waiting; sleep {MARK}")
    begins = {"its guard": "toy: guard of {}", "its monitor": "toy: session of {}", "the keeper": "toy: keeper"}
    pids = {
        name: int(pid)
        for name, words in begins.items()
        for pid, parent, line in rows()
        if line.startswith(words.format(process.pid)) and (parent == str(process.pid) or name == "its monitor")
    } | {"toy": process.pid}
    for name in which:
        with contextlib.suppress(ProcessLookupError):  # it ended with another one
            os.kill(pids[name], signal.SIGKILL)
    after = toy(host, "true")  # at once
    assert (after.returncode, after.stderr) == (0, "")
    process.kill()  # it needs only toy itself, its monitor and the keeper to go on
    process.communicate()  # ends when the last one that could write has ended
    assert left_over() == []
    assert "hello-1" in packages(host, *OVERLAY)


@pytest.mark.everywhere
@pytest.mark.parametrize("which", SETS, ids=" and ".join)
def test_nothing_is_left_of_a_killed_session(host: Host, which: tuple[str, ...]) -> None:
    if {"its guard", "its monitor"} <= {*which} and not host.sh("findmnt -nt cgroup2 || :"):
        pytest.skip("no control groups of version 2 here")
    nothing_is_left(host, which)


def test_nothing_is_left_where_the_first_mount_of_control_groups_is_covered(host: Host) -> None:
    script = """
    at=$(findmnt -nrt cgroup2 -o TARGET | tail -n 1)
    umount $at
    mkdir /mnt/covered
    mount -t cgroup2 none /mnt/covered
    mount -t tmpfs none /mnt
    mount -t cgroup2 none $at
    """
    host.sh(script)
    nothing_is_left(host, ("its guard", "its monitor"))


def test_what_lives_on_keeps_the_overlay_from_being_mounted_once_more(host: Host) -> None:
    toy(host, "true")
    out_of_its_group = "echo 0 > $(findmnt -nrt cgroup2 -o TARGET | tail -n 1)/cgroup.procs"
    process = start(host, *WITH, "sh", "-c", f"trap '' HUP; {out_of_its_group}; echo waiting; exec sleep {MARK}")
    of_session = (f"toy: guard of {process.pid}", f"toy: session of {process.pid}")
    ours = [process.pid, *(int(pid) for pid, _, line in rows() if line.startswith(of_session))]
    for number in (signal.SIGSTOP, signal.SIGKILL):  # at once: each ends the session when another one has gone
        for pid in ours:
            os.kill(pid, number)
    while keepers(host):
        pass  # who comes before its end joins the machine
    line = refused(host, *OVERLAY, "true")
    pids = [pid for pid, _, words in rows() if words == f"sleep {MARK}"]
    os.kill(int(pids[0]), signal.SIGKILL)
    process.communicate()
    assert line.startswith(f"/var/lib/toy/toy/overlay is still mounted by process {pids[0]}; see what it is")
    assert toy(host, "true").returncode == 0


def test_what_was_installed_is_noted_by_who_made_the_machine(host: Host) -> None:
    build(host, [HELLO], RPMS)
    host.run(*WITH, *host.rpm, "-i", "--notriggers", f"{RPMS}/{HELLO.file}")
    assert is_current(host, *OVERLAY)
    assert "hello-1" in host.sh("ls /var/lib/toy/toy/overlay/usr/lib/sysimage/rpm-headers")
    assert keepers(host) == []


def test_what_its_caller_had_started_before_goes_on(host: Host) -> None:
    script = f"sleep {MARK} & (sleep {MARK} & exec sleep {MARK}) & exec toy --host -- true"
    host.sh(script, capture_output=False, stdout=subprocess.DEVNULL)
    pids = left_over()
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    assert len(pids) == 3
