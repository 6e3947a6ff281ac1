# SPDX-License-Identifier: GPL-2.0-or-later
"""What installs packages is called as ever in `toy --host`, though it runs in the machine's own namespaces.

A script that is called dnf stands for such a program, and says how it was called.
"""

import signal
import subprocess

import pytest
from host import Host
from overlay import toy

WITH = ("toy", "--host", "--")

DNF = """#!/bin/sh
got() { echo "got $1"; read -r line; echo "ended after $line"; exit 7; }
trap 'got INT' INT
trap 'got TERM' TERM
printf '<%s> ' "$@" "$PWD" "$(wc -l < /proc/mounts)"
echo
[ "$1" ] || while :; do sleep 0.1; done
exec cat
"""


@pytest.fixture
def dnf(host: Host) -> Host:
    """A host with a machine in which there is a dnf."""
    toy(host, "sh", "-c", "cat > /usr/bin/dnf; chmod +x /usr/bin/dnf", input=DNF)
    return host


def test_arguments_directory_and_input(dnf: Host) -> None:
    words = ("a b", "'\"$HOME`\\", "", "*")
    command = (*WITH, "sh", "-c", 'cd /usr/share; dnf "$@"; exit $?', "sh", *words)
    shown, _, rest = dnf.run(*command, input="x\ny\n").stdout.partition("\n")
    assert shown.startswith("".join(f"<{word}> " for word in (*words, "/usr/share")))
    assert rest == "x\ny\n"


def test_exit_status(dnf: Host) -> None:
    assert dnf.run(*WITH, "rpm", "-q", "nosuch", check=False).returncode == 1
    assert dnf.run(*WITH, "rpm", "-q", "toy", check=False).returncode == toy(dnf, "rpm", "-q", "toy").returncode


def test_an_interrupt_is_its_own_business(dnf: Host) -> None:
    command = dnf.command("env", "--default-signal", *WITH, "dnf")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "got INT\n"
        assert process.communicate("a line\n")[0] == "ended after a line\n"
    assert process.returncode == 7


def test_it_ends_if_what_waits_for_it_is_killed(dnf: Host) -> None:
    script = """
    dnf > /srv/said < /dev/null &
    until grep -q '^<' /srv/said; do :; done
    kill -KILL $!
    until grep -q 'ended' /srv/said; do :; done
    """
    dnf.run(*WITH, "timeout", "20", "sh", "-c", script)
    assert "got TERM" in toy(dnf, "cat", "/srv/said").stdout


def test_its_update_leaves_it_in_the_namespaces_of_the_machine(dnf: Host) -> None:
    update = "cp /usr/bin/dnf.next /usr/bin/dnf.new; mv /usr/bin/dnf.new /usr/bin/dnf"
    toy(dnf, "sh", "-c", "sed 's/<%s> /[%s] /' /usr/bin/dnf > /usr/bin/dnf.next; chmod +x /usr/bin/dnf.next")
    script = f"""
    pid=$(sed -n 's/.*--target \\([0-9]*\\).*/\\1/p' /usr/bin/dnf)
    nsenter -t "$pid" -m -r sh -c '{update}'
    until head -c 2 /usr/bin/dnf | grep -q '#!' && grep -q nsenter /usr/bin/dnf; do :; done
    dnf x </dev/null
    """
    assert dnf.run(*WITH, "timeout", "20", "sh", "-c", script).stdout.startswith("[x] ")


def test_who_is_not_root_can_ask_rpm(dnf: Host) -> None:
    dnf.sh("useradd --create-home --uid 1234 alice")
    options = ("--user", "--host", "--")
    assert dnf.run("toy", *options, "rpm", "-qa", env={"SUDO_UID": "1234"}).stdout == toy(dnf, "rpm", "-qa").stdout
    shown = dnf.run("toy", *options, "dnf", "a b", env={"SUDO_UID": "1234"}).stdout
    assert shown.startswith("<a b> ")
