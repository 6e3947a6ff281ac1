# SPDX-License-Identifier: GPL-2.0-or-later
"""Launches: the command's status, its streams, its terminal, its signals; and what is there before and after."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from host import Host
from image import CHECKOUT, EDITOR, HELLO, LEGACY, RPMS, publish
from packages import Package, build
from truth import OVERLAY, database, header_set, is_current, packages


def toy(host: Host, *command: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a command in the overlay."""
    return host.run(*OVERLAY, *command, check=False, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [0, 1, 2, 42, 125, 128, 255])
def test_exit_status(host: Host, status: int) -> None:
    done = toy(host, "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV])
def test_exit_status_of_a_command_killed_by_a_signal(host: Host, number: signal.Signals) -> None:
    assert toy(host, "sh", "-c", f"kill -{number.value} $$").returncode == 128 + number


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-command", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/", 126)]
)
def test_a_command_that_cannot_be_run(host: Host, command: str, status: int) -> None:
    done = toy(host, command)
    assert done.returncode == status
    assert done.stdout == ""
    assert command in done.stderr


@pytest.mark.parametrize("words", [["-x", "--", ""], ["two words", "$HOME", "a\nb", "*", "\\t", "'\""], ["ä"]])
def test_arguments_arrive_as_they_are(host: Host, words: list[str]) -> None:
    assert toy(host, "printf", "[%s]", *words).stdout == "".join(f"[{word}]" for word in words)


def test_no_builtin_of_a_shell_is_run(host: Host) -> None:
    assert toy(host, "echo", "a\\tb").stdout == "a\\tb\n"
    assert toy(host, "exit", "3").returncode == 127


def test_pipes(host: Host) -> None:
    data = bytes(range(256)) * 4096
    done = host.run_bytes(*OVERLAY, "sh", "-c", "cat; echo error >&2", content=data)
    assert done.stdout == data
    assert done.stderr == b"error\n"


def test_no_stdin_and_a_closed_stdout(host: Host) -> None:
    assert toy(host, "cat").stdout == ""
    host.sh("toy -- seq 100000 | head -n 1")


class Terminal:
    """A command in the host on a terminal of its own, as a user has it."""

    def __init__(self, host: Host, *command: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            line = host.command("env", "TERM=dumb", "PS1=$ ", *command)
            os.execvp(line[0], line)
        self._seen = b""

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> "re.Match[bytes]":
        """Wait until something is on the screen; what was before it is forgotten."""
        while not (match := re.search(pattern.encode(), self._seen)):
            self._seen += os.read(self._fd, 4096)
        self._seen = self._seen[match.end() :]
        return match

    def hang_up(self) -> None:
        """Close the terminal, and wait until the command has noticed."""
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def end(self) -> int:
        """Read to the end and return the exit status."""
        try:
            while os.read(self._fd, 4096):
                pass
        except OSError:
            pass  # so Linux says that the other side is gone
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_terminal_when_there_is_one(host: Host) -> None:
    terminal = Terminal(host, "toy", "--", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty && stty size")
    terminal.expect("/dev/")
    assert terminal.end() == 0


def test_a_terminal_on_one_side_only(host: Host) -> None:
    script = "toy -- sh -c 'test -t 0 && ! test -t 1 && read line && echo got $line; sleep 1000' | cat"
    terminal = Terminal(host, "sh", "-c", script)
    terminal.type("something\n")
    terminal.expect("got something")
    terminal.type("\x03")
    terminal.end()
    assert toy(host, "true").returncode == 0


def test_a_shell_and_its_status(host: Host) -> None:
    terminal = Terminal(host, "toy")
    terminal.type("echo $((6 * 7)); cat /proc/sys/kernel/hostname\n")
    terminal.expect("\n42\r\ntoy\r\n")
    terminal.type("touch /root/was-here; exit 7\n")
    assert terminal.end() == 7
    assert host.run("ls", "/root/was-here").returncode == 0


def test_interrupting_a_command_of_the_shell(host: Host) -> None:
    terminal = Terminal(host, "toy")
    terminal.type("sh -c 'echo wait\"\"ing; exec sleep 1000'\n")
    terminal.expect("waiting\r\n")
    terminal.type("\x03")
    terminal.type("echo status $?\n")
    terminal.expect("status 130")
    terminal.type("exit\n")
    terminal.end()


def test_interrupting_a_command_on_the_terminal(host: Host) -> None:
    terminal = Terminal(
        host, "toy", "--", "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo waiting; sleep 1000 & wait"
    )
    terminal.expect("waiting")
    terminal.type("\x03")
    terminal.expect("interrupted")
    assert terminal.end() == 9


def test_a_terminal_that_goes_away_ends_the_launch(host: Host) -> None:
    terminal = Terminal(host, "toy")
    terminal.type(f"{' '.join(host.rpm)} -e --notriggers legacy; echo do''ne\n")
    terminal.expect("done")
    terminal.hang_up()
    assert "legacy-1" not in packages(host, *OVERLAY)


def start(host: Host, *command: str) -> "subprocess.Popen[bytes]":
    """Start a command in the host, in a process group of its own, and wait for its first line."""
    process = subprocess.Popen(
        host.command(*command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["toy", "group"])
def test_signals_reach_the_command(host: Host, number: signal.Signals, kill: Callable[[int, int], None]) -> None:
    script = f"trap 'echo caught; exit 9' {number.value}; echo waiting; sleep 1000 & wait"
    process = start(host, "toy", "--", "sh", "-c", script)
    kill(process.pid, number)
    assert process.communicate() == (b"caught\n", b"")
    assert process.returncode == 9


def test_a_signal_ends_a_command_that_does_not_care(host: Host) -> None:
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    os.kill(process.pid, signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert toy(host, "true").returncode == 0


def left_over(host: Host) -> str:
    """Return what of a launch is still there: mounts, processes, files that somebody has open."""
    return host.sh("grep -e ' toy ' -e machines /proc/self/mountinfo || :; ls /run /tmp; pgrep -x -f 'sleep 4242' || :")


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["toy", "group"])
def test_nothing_remains_of_a_killed_launch(host: Host, kill: Callable[[int, int], None]) -> None:
    toy(host, "true")
    before, state = left_over(host), sorted(os.listdir(host.toy / "toy"))
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; sleep 4242; :")
    assert "4242" not in before
    kill(process.pid, signal.SIGKILL)
    process.communicate()  # ends when the last one that could write has ended
    assert left_over(host) == before
    assert sorted(os.listdir(host.toy / "toy")) == state
    assert toy(host, "true").returncode == 0


def test_what_a_killed_launch_did_is_kept(host: Host) -> None:
    build(host, [HELLO], RPMS)
    rpm = " ".join([*host.rpm, "--notriggers"])
    script = f"{rpm} -i {RPMS}/{HELLO.file} >&2; {rpm} -e legacy >&2; echo waiting; sleep 1000"
    process = start(host, "toy", "--", "sh", "-c", script)
    process.kill()
    process.communicate()
    publish(host, replace(EDITOR, version="2"))
    host.run("zypper", "-n", "update")
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)
    assert toy(host, "hello").stdout == "Hello, world!\n"


def test_two_at_once(host: Host) -> None:
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; sleep 1000")
    done = toy(host, "true")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "toy: machine toy is in use; leave it first, or use another one: toy -n NAME\n"
    assert host.run("toy", "-n", "other", "--", "true").returncode == 0
    process.terminate()
    process.communicate()
    assert toy(host, "true").returncode == 0


def test_a_key_imported_in_the_overlay_stays(host: Host) -> None:
    host.write("/root/key.asc", (CHECKOUT / "tests/key.asc").read_text())
    host.run(*OVERLAY, "rpm", "--import", "/root/key.asc")
    assert "gpg-pubkey" in toy(host, "rpm", "-qa").stdout
    assert "gpg-pubkey" not in host.run("rpm", "-qa").stdout
    assert is_current(host, *OVERLAY)


def test_machines_are_apart(host: Host) -> None:
    host.run("toy", "-n", "one", "--", "zypper", "-n", "install", "hello")
    assert "hello-1" in packages(host, "toy", "-n", "one", "--")
    assert "hello-1" not in packages(host, "toy", "-n", "two", "--")
    assert "hello-1" not in packages(host)


def test_where_things_are(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    assert host.run("readlink", "/var/lib/machines/.toy").stdout == "/var/lib/toy/toy\n"
    documented = host.sh("cd /var/lib/machines/.toy && ls -d overlay/usr/bin/hello rpmdb var/lib").split()
    assert documented == ["overlay/usr/bin/hello", "rpmdb", "var/lib"]
    assert host.sh("ls -A /var/lib/machines/toy") == ""
    assert "hello-1-1.noarch" in host.run("rpm", "--dbpath", "/var/lib/machines/.toy/rpmdb", "-qa").stdout


class TestHostUpdate:
    """Two launches with an update of the host between them."""

    def test_install_update_return(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        publish(host, replace(EDITOR, version="2"), Package("new", directories=("/var/lib/new",)))
        host.run("zypper", "-n", "update")
        host.run("zypper", "-n", "install", "new")
        host.run("zypper", "-n", "remove", "legacy")
        before = database(host)
        assert packages(host, *OVERLAY) == {"editor-2", "library-1", "new-1", "hello-1"}
        assert toy(host, "rpm", "-Va").stdout == ""
        assert is_current(host, *OVERLAY)
        assert database(host) == before

    def test_removed_in_the_overlay_stays_removed(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy", "editor")
        publish(host, Package("new"))
        host.run("zypper", "-n", "install", "new")
        assert packages(host, *OVERLAY) == {"library-1", "new-1"}
        assert toy(host, "ls", "/usr/bin/legacy").returncode == 2
        assert packages(host) == {"editor-1", "library-1", "legacy-1", "new-1"}
        assert host.run("legacy").stdout == "legacy\n"

    def test_a_removal_on_both_sides_and_a_return(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
        host.run("zypper", "-n", "remove", "legacy")
        assert "legacy-1" not in packages(host, *OVERLAY)
        assert not [
            name
            for name in os.listdir(host.toy / "toy/overlay/usr/lib/sysimage/rpm-headers")
            if name.startswith("legacy")
        ]
        assert is_current(host, *OVERLAY)

    def test_the_same_package_comes_to_the_host(self, host: Host) -> None:
        build(host, [HELLO], RPMS)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        host.run("zypper", "-n", "install", "hello")
        assert "hello-1" in packages(host, *OVERLAY)
        assert is_current(host, *OVERLAY)

    def test_an_update_while_the_overlay_is_entered(self, host: Host) -> None:
        process = start(host, "toy", "--", "sh", "-c", "echo waiting; read line; :")
        publish(host, HELLO)
        host.run("zypper", "-n", "install", "hello")
        process.communicate()
        assert "hello-1" in packages(host, *OVERLAY)
        assert is_current(host, *OVERLAY)

    def test_nothing_changed_then_nothing_is_rebuilt(self, host: Host) -> None:
        toy(host, "true")
        before = os.stat(host.toy / "toy/rpmdb")
        toy(host, "true")
        assert os.stat(host.toy / "toy/rpmdb").st_ino == before.st_ino


def test_toy_itself_may_be_removed_in_the_overlay(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "remove", "toy")
    assert "toy-0.1-0.noarch" not in toy(host, "rpm", "-qa").stdout
    assert packages(host, *OVERLAY) == packages(host)
    assert host.run("rpm", "-V", "toy").stdout == ""
    assert is_current(host)


@pytest.mark.parametrize(
    "script",
    [
        "rm -r /usr/lib/sysimage/rpm-headers",
        "rm /usr/lib/sysimage/rpm-headers/*",
        "rm /usr/lib/sysimage/rpm-headers/.stamp",
        "rm -r /usr/lib/sysimage/rpm-headers; toy dump",
    ],
)
def test_a_set_that_was_removed_in_the_overlay_loses_nothing(host: Host, script: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.run(*OVERLAY, "sh", "-c", script)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)
    publish(host, replace(EDITOR, version="2"))
    host.run("zypper", "-n", "update")
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}


@pytest.mark.parametrize("lost", ["rpmdb", "base", "rpmdb base", "overlay/usr/lib/sysimage/rpm-headers"])
def test_any_one_part_of_the_state_may_be_lost(host: Host, lost: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.sh(f"cd /var/lib/toy/toy && rm -r {lost}")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)


class TestVar:
    """The overlay's own /var."""

    STATE = Package(
        "state",
        directories=("/var/lib/state", "/var/lib/state/deep/er"),
        files={"/var/lib/state/file": "content", "/usr/share/state": ""},
        links={"/var/lib/state/link": "file"},
    )

    def test_packages_find_what_they_own(self, host: Host) -> None:
        publish(host, self.STATE)
        host.run("zypper", "-n", "install", "state")
        assert toy(host, "rpm", "-Va").stdout == ""
        assert toy(host, "cat", "/var/lib/state/link").stdout == "content\n"

    def test_they_follow_the_host_while_nobody_changed_them(self, host: Host) -> None:
        publish(host, self.STATE)
        host.run("zypper", "-n", "install", "state")
        toy(host, "true")
        files = {**self.STATE.files, "/var/lib/state/file": "other", "/var/lib/state/added": ""}
        publish(host, replace(self.STATE, version="2", files=files))
        host.run("zypper", "-n", "update")
        assert toy(host, "rpm", "-Va").stdout == ""
        assert toy(host, "cat", "/var/lib/state/link").stdout == "other\n"
        toy(host, "sh", "-c", "echo mine > /var/lib/state/added; touch /var/lib/state/unowned")
        host.run("zypper", "-n", "remove", "state")
        assert toy(host, "ls", "/var/lib/state").stdout.split() == ["added", "deep", "unowned"]

    def test_it_is_the_overlays_and_stays(self, host: Host) -> None:
        toy(host, "sh", "-c", "echo mine > /var/lib/editor/mine; rm -r /var/lib/zypp")
        assert toy(host, "cat", "/var/lib/editor/mine").stdout == "mine\n"
        assert host.run("ls", "/var/lib/editor").stdout == ""
        assert "AutoInstalled" in host.run("ls", "/var/lib/zypp").stdout

    def test_certificates_and_zypp_s_notes_are_there(self, host: Host) -> None:
        host.write("/var/lib/ca-certificates/pem/one.pem", "certificate")
        toy(host, "true")
        assert toy(host, "cat", "/var/lib/ca-certificates/pem/one.pem").stdout == "certificate"
        assert (
            toy(host, "cat", "/var/lib/zypp/AutoInstalled").stdout
            == host.run("cat", "/var/lib/zypp/AutoInstalled").stdout
        )

    def test_a_link_in_it_leads_nowhere_on_the_host(self, host: Host) -> None:
        toy(host, "sh", "-c", "rm -r /var/lib /var/cache; ln -s /etc /var/lib; ln -s /etc /var/cache")
        before = host.sh("ls -R /etc | md5sum")
        publish(host, self.STATE)
        host.run("zypper", "-n", "install", "state")
        assert toy(host, "true").returncode == 0
        assert host.sh("ls -R /etc | md5sum") == before


class TestMetadata:
    """The host's refreshed repository metadata."""

    def test_it_is_used_without_a_refresh(self, host: Host) -> None:
        host.run("zypper", "-n", "refresh")
        host.sh("mv /srv/repository/repodata /srv/repository/gone")
        assert "hello" in toy(host, "zypper", "-n", "--no-refresh", "search", "hello").stdout

    def test_the_newer_one_wins(self, host: Host) -> None:
        toy(host, "true")
        publish(host, HELLO, replace(HELLO, version="2"))
        host.run("zypper", "-n", "refresh")
        host.sh("mv /srv/repository/repodata /srv/repository/gone")
        assert "| 2-1" in toy(host, "zypper", "-n", "--no-refresh", "search", "-s", "hello").stdout

    def test_the_overlays_own_refresh_stays(self, host: Host) -> None:
        toy(host, "true")
        publish(host, HELLO, replace(HELLO, version="2"))
        toy(host, "zypper", "-n", "refresh")
        raw = host.sh("md5sum /var/cache/zypp/raw/repository/repodata/repomd.xml")
        assert "| 2-1" in toy(host, "zypper", "-n", "--no-refresh", "search", "-s", "hello").stdout
        assert host.sh("md5sum /var/cache/zypp/raw/repository/repodata/repomd.xml") == raw

    def test_each_side_has_its_own_system(self, host: Host) -> None:
        system = "cd /var/cache/zypp/solv/@System && md5sum *"
        before = host.sh(system)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        assert host.sh(system) == before
        assert host.run(*OVERLAY, "sh", "-c", system).stdout != before

    def test_the_solver_does_not_go_by_an_old_database(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        publish(host, replace(EDITOR, version="2"), replace(LEGACY, version="2"))
        host.run("zypper", "-n", "update")
        listed = toy(host, "zypper", "-n", "search", "-i", "-s").stdout
        installed = {
            line.split("|")[1].strip(): line.split("|")[3].strip()
            for line in listed.splitlines()
            if line.startswith("i")
        }
        assert {"editor": "2-1", "legacy": "2-1", "hello": "1-1", "library": "1-1"}.items() <= installed.items()


def test_network_and_name_resolution_are_the_hosts(host: Host) -> None:
    assert toy(host, "readlink", "/proc/self/ns/net").stdout == host.run("readlink", "/proc/self/ns/net").stdout
    assert toy(host, "cat", "/etc/resolv.conf").stdout == host.run("cat", "/etc/resolv.conf").stdout
    host.sh("mkdir -p /run/netconfig; echo nameserver 192.0.2.1 > /run/netconfig/resolv.conf")
    host.sh("ln -sf /run/netconfig/resolv.conf /etc/resolv.conf")
    assert toy(host, "cat", "/etc/resolv.conf").stdout == "nameserver 192.0.2.1\n"


def test_homes(host: Host) -> None:
    host.sh("useradd --create-home alice; echo hers > /home/alice/file; echo roots > /root/file")
    alice = host.run("id", "-u", "alice").stdout.strip()
    script = "cat /root/file /home/alice/file; echo written > /home/alice/new"
    assert toy(host, "sh", "-c", script, env={"SUDO_UID": alice}).stdout == "roots\nhers\n"
    assert host.run("cat", "/home/alice/new").stdout == "written\n"


def test_the_host_is_not_written_but_for_its_set(host: Host) -> None:
    def state() -> dict[str, tuple[int, int]]:
        paths = [path for path in host.upper.rglob("*") if not path.is_dir()]
        return {str(path.relative_to(host.upper)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}

    before = state()
    host.run(*OVERLAY, "sh", "-c", "zypper -n install hello; zypper -n remove legacy; echo x > /etc/x; useradd bob")
    after = state()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith(("usr/lib/sysimage/", "root/"))} == {
        "var/lib/machines/.toy"
    }


def test_no_mount_is_seen_outside(host: Host) -> None:
    before = host.sh("cut -d' ' -f5- /proc/self/mountinfo")
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; sleep 1000")
    assert host.sh("cut -d' ' -f5- /proc/self/mountinfo") == before
    process.terminate()
    process.communicate()


def test_a_read_only_host_whose_set_is_stale(template: Path, tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    with Host(tmp_path / "host", like=template, binds={tmp_path / "machines": "/var/lib/machines"}) as host:
        host.sh(f"{' '.join(host.rpm)} -e --notriggers legacy; mount -o remount,ro /")
        before = header_set(host)
        assert packages(host, *OVERLAY) == {"editor-1", "library-1"}
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert is_current(host, *OVERLAY)
        assert header_set(host) == before
        # The next snapshot has a set that is current; the overlay's package is still the overlay's.
        host.sh("mount -o remount,rw /; toy dump; mount -o remount,ro /")
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert is_current(host, *OVERLAY)
