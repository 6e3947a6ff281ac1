# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy --user`: a session as the user who called sudo, run0 or pkexec."""

import pytest
from host import Host
from overlay import refused, start, toy

CALLERS = ("SUDO_UID", "PKEXEC_UID")
AS_USER = ("toy", "--user", "--")


@pytest.fixture
def alice(host: Host) -> Host:
    """A host with a user who has a home, another group, and a runtime directory."""
    host.sh("""
    groupadd friends; useradd --create-home --uid 1234 --groups friends --shell /bin/bash alice
    mkdir -p /run/user/1234; chown alice: /run/user/1234; chmod 700 /run/user/1234
    """)
    return host


@pytest.mark.parametrize("caller", CALLERS)
def test_who_one_is(alice: Host, caller: str) -> None:
    script = 'id; echo "$HOME $USER $LOGNAME $SHELL $XDG_RUNTIME_DIR"'
    done = alice.run(*AS_USER, "sh", "-c", script, env={caller: "1234"})
    of_host = alice.run("setpriv", "--reuid=1234", "--regid=1234", "--init-groups", "id").stdout
    assert done.stdout == f"{of_host}/home/alice alice alice /bin/bash /run/user/1234\n"


def test_root_has_what_root_had(alice: Host) -> None:
    assert alice.run("toy", "--", "id", "-un", env={"SUDO_UID": "1234"}).stdout == "root\n"


def test_what_is_made_in_the_home_is_the_users(alice: Host) -> None:
    script = "cd; touch mine; mkdir -p below; : > $XDG_RUNTIME_DIR/mine; cat /etc/shadow; touch /etc/mine"
    done = alice.run(*AS_USER, "sh", "-c", script, env={"SUDO_UID": "1234"}, check=False)
    assert done.stderr.count("Permission denied") == 2
    shown = alice.run(
        "stat", "--format=%U %G %n", "/home/alice/mine", "/home/alice/below", "/run/user/1234/mine"
    ).stdout
    assert shown.splitlines() == [
        "alice alice /home/alice/mine",
        "alice alice /home/alice/below",
        "alice alice /run/user/1234/mine",
    ]


def test_a_runtime_directory_where_the_host_has_none(alice: Host) -> None:
    alice.sh("rmdir /run/user/1234")
    script = "stat --format='%U %a' $XDG_RUNTIME_DIR; touch $XDG_RUNTIME_DIR/x"
    assert alice.run(*AS_USER, "sh", "-c", script, env={"SUDO_UID": "1234"}).stdout == "alice 700\n"
    assert alice.run("ls", "-d", "/run/user/1234", check=False).returncode == 2


def test_a_login_shell(alice: Host) -> None:
    done = alice.run("toy", "--user", input="shopt -q login_shell && whoami; pwd\n", env={"SUDO_UID": "1234"})
    assert done.stdout.split() == ["alice", "/"]


def test_a_user_joins_root(alice: Host) -> None:
    process = start(alice, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    alice.run(*AS_USER, "touch", "/tmp/of-alice", env={"SUDO_UID": "1234"})
    assert toy(alice, "stat", "--format=%U", "/tmp/of-alice").stdout == "alice\n"
    process.terminate()
    process.communicate()


def test_a_user_sees_the_host(alice: Host) -> None:
    script = (
        "id -un; test -d /proc/$PPID; sed -n 's/CapEff:\\s*//p' /proc/self/status; dmesg >/dev/null 2>&1; kill -0 1"
    )
    done = alice.run("toy", "--user", "--host", "--", "sh", "-c", script, env={"SUDO_UID": "1234"}, check=False)
    assert done.stdout == "alice\n0000000000000000\n"
    assert "Operation not permitted" in done.stderr


@pytest.mark.parametrize("of_host", ["none", "a directory", "a mount"])
def test_a_user_who_sees_the_host_has_a_runtime_directory(alice: Host, of_host: str) -> None:
    script = {
        "none": "rmdir /run/user/1234; mkdir /run/user/9",
        "a mount": "mount -t tmpfs -o uid=1234 x /run/user/1234",
    }
    alice.sh(script.get(of_host, ":"))
    done = alice.run(
        "toy", "--user", "--host", "--", "sh", "-c", "echo mine > $XDG_RUNTIME_DIR/mine", env={"SUDO_UID": "1234"}
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert alice.run("ls", "/run/user/1234", check=False).stdout == ("" if of_host == "none" else "mine\n")


def test_the_terminal_is_the_users(alice: Host) -> None:
    script = "script -qec 'toy --user -- sh -c \"stat --format=%U \\$(tty)\"' /dev/null"
    assert alice.run("sh", "-c", script, env={"SUDO_UID": "1234"}).stdout.split()[-1].endswith("alice")


def test_it_is_said_in_one_line(alice: Host) -> None:
    means = "--user means the caller of sudo, run0 or pkexec, and there is none"
    assert refused(alice, *AS_USER, "id") == f"{means}; try: sudo toy --user -- id"
    alice.sh("useradd --no-create-home --uid 1300 bob")
    of_bob = ("env", "SUDO_UID=1300", *AS_USER, "id")
    assert refused(alice, *of_bob) == (
        "the home of bob does not exist: /home/bob; see: getent passwd bob; ls -ld /home/bob"
    )
    assert refused(alice, "env", "SUDO_UID=4711", *AS_USER, "id") == (
        "there is no user with number 4711; see: getent passwd 4711"
    )
    alice.sh("useradd --no-create-home --home-dir /srv/foreign --uid 1301 carol; mkdir /srv/foreign")
    assert refused(alice, "env", "SUDO_UID=1301", *AS_USER, "id") == (
        "the home of carol does not show in machines: /srv/foreign;"
        " it has to be the own directory of a regular user, see: ls -ldn /srv/foreign; id carol"
    )
    assert toy(alice, "true").returncode == 0


@pytest.mark.parametrize("options", [(), ("--host",)])
def test_a_user_who_was_not_there_when_it_was_entered(alice: Host, options: tuple[str, ...]) -> None:
    process = start(alice, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    alice.sh("useradd --create-home --uid 1302 dave")
    assert refused(alice, "env", "SUDO_UID=1302", "toy", "--user", *options, "--", "id") == (
        "/home/dave does not show in the machine, which was entered before dave had it;"
        " it does once all have left; see who is in: toy list"
    )
    process.terminate()
    process.communicate()
