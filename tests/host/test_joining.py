# SPDX-License-Identifier: GPL-2.0-or-later
"""Several who are in one machine: who comes second joins, and the machine ends with the last one, whoever that is."""

import contextlib
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from host import Host
from image import EDITOR, publish
from microos import NEXT, MicroOS
from overlay import keepers, refused, toy
from somebody import Enter, is_noted, last_change
from truth import OVERLAY, is_current, packages


@pytest.mark.everywhere
def test_who_comes_second_joins(host: Host, enter: Enter) -> None:
    one, two = enter(), enter()
    one.does("echo of one > /srv/one; echo of one > /run/one")
    assert two.does("cat /srv/one /run/one; echo of two > /srv/two") == "of one\nof one\n"
    assert one.does("cat /srv/two") == "of two\n"
    spaces = "for each in mnt pid uts ipc cgroup; do readlink /proc/self/ns/$each; done"
    assert one.does(spaces) == two.does(spaces)
    two.does("echo $$ > /run/shell")
    assert one.does("kill -0 $(cat /run/shell) && echo there") == "there\n"
    assert [one.leaves(), two.leaves()] == [(0, ""), (0, "")]
    assert keepers(host) == []


def test_who_is_in_another_machine_is_not_met(host: Host, enter: Enter) -> None:
    one, other = enter(), enter("toy", "-n", "other")
    one.does("echo > /srv/one")
    assert other.does("ls /srv/one 2>&1 || echo not here").endswith("not here\n")
    assert len(keepers(host)) == 2


MOMENT = """
mkdir -p /run/in; echo > /run/in/$0
until [ $(ls /run/in | wc -l) = 6 ]; do :; done
echo > /srv/$0
"""


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known"])
def test_several_in_the_same_moment(host: Host, is_new: bool) -> None:
    if not is_new:
        toy(host, "true")
    lines = [host.command(*OVERLAY, "sh", "-ec", MOMENT, f"number-{each}") for each in range(6)]
    started = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for line in lines]
    assert [(*process.communicate(), process.returncode) for process in started] == 6 * [("", "", 0)]
    assert toy(host, "ls", "/srv").stdout.split().count("number-5") == 1
    assert is_current(host, *OVERLAY)


def test_several_with_filters_of_system_calls(host: Host) -> None:
    host.write("/etc/systemd/nspawn/toy.nspawn", "[Exec]\nSystemCallFilter=~mknod mknodat\n")
    script = "mkfifo /srv/x 2>&1; sed -n 's/Seccomp:\\s*//p' /proc/self/status"
    lines = [host.command(*OVERLAY, "sh", "-c", f"{MOMENT}{script}", f"number-{each}") for each in range(6)]
    started = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for line in lines]
    said = "mkfifo: cannot create fifo '/srv/x': Operation not permitted\n2\n"
    assert [(*process.communicate(), process.returncode) for process in started] == 6 * [(said, "", 0)]


@pytest.mark.parametrize("last", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("who", [0, 1], ids=["of the first", "of the second"])
def test_the_last_one_has_what_changed_noted(host: Host, enter: Enter, who: int, last: int) -> None:
    somebody = [enter(), enter()]
    somebody[who].does(last_change(host))
    assert somebody[1 - last].leaves() == (0, "")
    assert not is_noted(host)
    assert somebody[last].does("rpm -q legacy || :") == "package legacy is not installed\n"
    assert somebody[last].leaves() == (0, "")
    assert is_noted(host)
    assert keepers(host) == []


def test_each_has_a_status_of_its_own(host: Host, enter: Enter) -> None:
    with_seven, with_signal = enter(), enter()
    assert toy(host, "sh", "-c", "exit 3").returncode == 3
    with_seven.does("trap 'exit 7' EXIT")
    assert with_seven.leaves() == (7, "")
    with_signal.does("trap 'kill -USR1 $$' EXIT")
    assert with_signal.leaves() == (128 + signal.SIGUSR1, "")


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1"])
def test_a_signal_to_all_in_a_machine_does_not_end_it(host: Host, enter: Enter, name: str) -> None:
    one, two = enter(), enter()
    for each in (one, two):
        each.does(f"trap '' {name}")
    assert one.does(f"kill -{name} -1; echo here") == "here\n"
    assert two.does("echo here") == "here\n"
    assert [one.leaves(), two.leaves()] == [(0, ""), (0, "")]


def child(pid: int, name: str) -> int:
    """Wait until a process has a child with this name, and return that."""
    while True:
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):  # it has ended
                if Path(f"/proc/{each}/comm").read_text() == f"{name}\n":
                    return int(each)


@pytest.mark.parametrize("call", ["setpgid", "execve"])
def test_a_signal_in_the_moment_in_which_a_command_begins_is_not_lost(host: Host, enter: Enter, call: str) -> None:
    enter()
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", f"--inject={call}:delay_enter=1000000")
    with subprocess.Popen(host.command(*strace, *OVERLAY, "/bin/sleep", "1000"), stderr=subprocess.PIPE) as process:
        ours = child(process.pid, "toy")
        child(child(ours, "(session)"), "(session)")  # what becomes the command
        os.kill(ours, signal.SIGTERM)
        assert process.communicate()[1] == b""
    assert process.returncode == 128 + signal.SIGTERM


CHANGED = "toy: the host's packages changed since machine toy was entered; it follows once all have left\n"


def test_an_update_of_the_host_waits_and_who_joins_is_told(host: Host, enter: Enter) -> None:
    one = enter()
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    two = enter()
    for each in (one, two):
        assert each.does("rpm -q editor") == "editor-1-1.noarch\n"
    assert [two.leaves(), one.leaves()] == [(0, CHANGED), (0, "")]
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1"}
    assert is_current(host, *OVERLAY)


@pytest.mark.parametrize("host", ["microos"], indirect=True)
def test_who_is_in_sees_what_he_saw_after_an_update_is_applied(host: Host, enter: Enter) -> None:
    assert isinstance(host, MicroOS)
    one = enter()
    publish(host, NEXT)
    pending = host.update(*host.zypper_in_snapshot("install", "editor"))
    host.run("mount", "--rbind", f"/.snapshots/{pending}/snapshot/usr", "/usr")
    two = enter()
    for each in (one, two):
        assert each.does("editor; rpm -q editor") == "editor 1\neditor-1-1.noarch\n"
    assert [one.leaves(), two.leaves()] == [(0, ""), (0, CHANGED)]
    assert host.run(*OVERLAY, "editor").stdout == "editor 2\n"


CALLER = "pwd; echo $LANG $TZ $HOME $http_proxy; id -un; ulimit -n; cat /root/mine"


def test_each_has_what_its_caller_has(host: Host, enter: Enter) -> None:
    host.sh("echo mine > /root/mine; mkdir -p /srv/a /srv/b")
    scripts = {"a": f"cd /srv/a; LANG=C TZ=UTC http_proxy=x exec toy -- sh -c '{CALLER}'"}
    scripts["b"] = f"cd /srv/b; ulimit -n 99; LANG=C.UTF-8 TZ=Asia/Tokyo http_proxy=y exec toy -- sh -c '{CALLER}'"
    alone = {name: host.sh(script) for name, script in scripts.items()}
    assert alone["b"] == "/srv/b\nC.UTF-8 Asia/Tokyo /root y\nroot\n99\nmine\n"
    enter()
    assert {name: host.sh(script) for name, script in scripts.items()} == alone


@pytest.mark.parametrize("host", ["microos"], indirect=True)
def test_over_another_root_nobody_joins(host: Host, enter: Enter) -> None:
    assert isinstance(host, MicroOS)
    publish(host, NEXT)
    host.update(*host.zypper_in_snapshot("install", "editor"))
    one = enter()
    line = refused(host, "toy", "-n", "toy", "--snapshot", "2", "--", "true")
    assert line == "machine toy is in use, over /; leave it first"
    assert one.does("editor") == "editor 1\n"
    assert one.leaves() == (0, "")
    assert host.run("toy", "-n", "toy", "--snapshot", "2", "--", "editor").stdout == "editor 2\n"
