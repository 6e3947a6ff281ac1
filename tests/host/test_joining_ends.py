# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with several in them that come up or end otherwise than in order: killed, given up, just now."""

import os
import signal
import subprocess

import pytest
from host import Host
from overlay import keepers, start, toy
from somebody import Enter, is_noted, last_change
from truth import OVERLAY, is_current, packages


@pytest.mark.everywhere
@pytest.mark.parametrize("killed", [0, 1], ids=["the first", "the second"])
def test_who_is_killed_hurts_no_other(host: Host, enter: Enter, killed: int) -> None:
    somebody = [enter(), enter()]
    somebody[killed].does(f"echo $$ > /run/shell; {last_change(host)}")
    somebody[killed].is_killed()
    other = somebody[1 - killed]
    other.does("while kill -0 $(cat /run/shell) 2>/dev/null; do :; done")  # the command of who was killed ends
    third = enter()
    assert third.does("cat /run/shell") != ""
    assert third.leaves() == (0, "")
    assert other.does("rpm -q legacy editor || :") == "package legacy is not installed\neditor-1-1.noarch\n"
    assert other.leaves() == (0, "")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1"}
    assert is_current(host, *OVERLAY)


def test_nothing_is_lost_if_all_are_killed(host: Host, enter: Enter) -> None:
    one, two, three = enter(), enter(), enter()
    one.does(last_change(host))
    for each in (two, one, three):
        each.is_killed()
    assert packages(host, *OVERLAY) == {"editor-1", "library-1"}
    assert is_current(host, *OVERLAY)
    assert keepers(host) == []


@pytest.mark.everywhere
def test_a_machine_ends_with_its_keeper_and_the_next_one_loses_nothing(host: Host, enter: Enter) -> None:
    one, two = enter(), enter()
    one.does(last_change(host))
    (keeper,) = keepers(host)
    os.kill(keeper, signal.SIGKILL)
    assert [one.ends(), two.ends()] == 2 * [(128 + signal.SIGKILL, "")]
    assert not is_noted(host)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1"}
    assert is_current(host, *OVERLAY)
    assert keepers(host) == []


def test_who_made_it_with_host_leaves_it_to_the_others(host: Host, enter: Enter) -> None:
    one = enter("toy", "--host")
    two = enter()
    two.does(last_change(host))
    assert one.leaves() == (0, "")
    assert two.does("echo here") == "here\n"
    assert two.leaves() == (0, "")
    assert is_noted(host)


def test_who_comes_while_it_ends_waits_and_makes_it_anew(host: Host, enter: Enter) -> None:
    waits = "toy: waiting for machine toy, which is about to end\n"
    for _ in range(3):
        one = enter()
        one.does("zypper -n install --force legacy 2>&1")
        one.does(last_change(host))
        ends = subprocess.Popen(host.command("sh", "-c", "exec toy -- ls /run/mark"), stderr=subprocess.PIPE, text=True)
        assert one.leaves() == (0, "")
        assert ends.communicate()[1].removeprefix(waits) in (
            "",
            "ls: cannot access '/run/mark': No such file or directory\n",
        )
    assert packages(host, *OVERLAY) == {"editor-1", "library-1"}


def test_a_machine_that_does_not_come_up_is_one_line_for_each(host: Host) -> None:
    toy(host, "true")
    host.write("/usr/local/sbin/systemd-nspawn", "#!/bin/sh\nexit 3\n")
    host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
    started = [subprocess.Popen(host.command(*OVERLAY, "true"), stderr=subprocess.PIPE, text=True) for _ in range(3)]
    line = (
        "toy: systemd-nspawn did not start machine toy (status 3);"
        " see what it said above, or: TOY_DEBUG=1 toy -- true\n"
    )
    assert [(process.communicate()[1], process.returncode) for process in started] == 3 * [(line, 125)]
    assert keepers(host) == []


CHATTY = """#!/bin/sh
[ "$1" = --help ] || head -c 200000 /dev/zero | tr '\\0' x >&2
exec /usr/bin/systemd-nspawn "$@"
"""


def test_what_the_first_one_does_not_read_holds_nobody(host: Host, enter: Enter) -> None:
    toy(host, "true")
    host.write("/usr/local/sbin/systemd-nspawn", CHATTY)
    host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
    one, two = enter(), enter()
    assert two.leaves() == (0, "")
    status, said = one.leaves()
    assert (status, said.strip("x")) == (0, "")


def test_many_join_one_who_can_open_few_files(host: Host, enter: Enter) -> None:
    everybody = [enter("sh", "-c", 'ulimit -S -n 32; exec toy "$@"', "sh"), *(enter() for _ in range(12))]
    assert {each.does("echo here") for each in everybody} == {"here\n"}
    assert {each.leaves() for each in everybody} == {(0, "")}


SLOW = """#!/bin/sh
[ "$1" = --help ] || [ -e /srv/go ] || { echo waiting >&2; until [ -e /srv/go ]; do :; done; }
exec /usr/bin/systemd-nspawn "$@"
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_makes_it_is_killed_while_another_waits_for_it(host: Host, number: signal.Signals) -> None:
    toy(host, "true")
    host.write("/usr/local/sbin/systemd-nspawn", SLOW)
    host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
    maker = start(host, "sh", "-c", "exec toy -- true 2>&1")
    joiner = subprocess.Popen(host.command(*OVERLAY, "echo", "in"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    maker.send_signal(number)
    maker.communicate()
    host.sh("touch /srv/go")
    stdout, stderr = joiner.communicate()
    assert (stdout, joiner.returncode) == (b"in\n", 0)
    assert stderr in (b"", b"waiting\n")  # it came too late to join, and made it anew
    assert keepers(host) == []
