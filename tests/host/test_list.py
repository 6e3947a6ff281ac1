# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy list`: who is in which machine."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from host import Host
from image import publish
from microos import NEXT, MicroOS
from overlay import keepers, refused, toy
from truth import OVERLAY, is_current, packages

WAIT = ("sh", "-c", "echo waiting; exec sleep 1000")
NOBODY_IN = "toy      -    -     -         -      -"
HEADINGS = "MACHINE  PID  USER  TERMINAL  SINCE  COMMAND"


def table(host: Host) -> list[list[str]]:
    """Return the cells of each row but the headings, with those of a time as one."""
    done = host.run("toy", "list")
    assert done.stderr == ""
    headings, *rows = done.stdout.splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", headings)]
    ends = [*starts[1:], None]
    return [[row[start:end].rstrip() for start, end in zip(starts, ends, strict=True)] for row in rows]


def as_json(host: Host) -> list[dict[str, Any]]:
    found = json.loads(host.run("toy", "list", "--json").stdout)
    assert found.keys() == {"version", "machines"}
    machines: list[dict[str, Any]] = found["machines"]
    return machines


@contextmanager
def running(host: Host, *command: str, terminal: int | None = None) -> "Iterator[subprocess.Popen[bytes]]":
    """Have a toy, or another program, that has printed "waiting"; with a terminal, that is its controlling one."""
    line = ["env", "USER=geeko", *command]
    with subprocess.Popen(
        host.command(*line) if terminal is None else host.command("setsid", "--ctty", *line),
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
            yield process
        finally:
            process.terminate()


@pytest.fixture
def terminals() -> Iterator[Sequence[tuple[int, str]]]:
    """Two terminals: what has it open, and its path."""
    pairs = [pty.openpty() for _ in range(2)]
    yield [(slave, os.ttyname(slave)) for _, slave in pairs]
    for pair in pairs:
        for fd in pair:
            os.close(fd)


def test_nobody_is_in(host: Host) -> None:
    assert host.run("toy", "list").stdout == f"{HEADINGS}\n"
    assert as_json(host) == []
    assert host.run("ls", "-A", "/var/lib/toy").stdout == ""
    host.run(*OVERLAY, "true")
    host.run("toy", "-n", "a", "--", "true")
    host.sh("cd /var/lib/toy; mkdir empty ./-x; touch file; ln -s toy link")  # none of them is a machine
    assert host.run("toy", "list").stdout.splitlines() == [HEADINGS, NOBODY_IN.replace("toy", "a  "), NOBODY_IN]
    assert as_json(host) == [{"machine": name, "state": "not in use", "in": []} for name in ("a", "toy")]


def test_who_is_in(host: Host, terminals: Sequence[tuple[int, str]]) -> None:
    (one, its_path), (other, other_path) = terminals
    before = int(time.time())
    with (
        running(host, *OVERLAY, *WAIT, terminal=one) as first,
        running(host, *OVERLAY, *WAIT, "a b", terminal=other) as second,
        running(host, "toy", "-n", "b", "--", *WAIT) as third,
    ):
        command = "sh -c 'echo waiting; exec sleep 1000'"
        rows = table(host)
        assert [row[:4] + row[5:] for row in rows] == [
            ["b", f"{third.pid}", "geeko", "-", command],
            ["toy", f"{first.pid}", "geeko", its_path.removeprefix("/dev/"), command],
            ["toy", f"{second.pid}", "geeko", other_path.removeprefix("/dev/"), f"{command} 'a b'"],
        ]
        for row in rows:
            assert before <= time.mktime(time.strptime(row[4], "%Y-%m-%d %H:%M:%S")) <= time.time()
        found = as_json(host)
        assert [(machine["machine"], machine["state"], len(machine["in"])) for machine in found] == [
            ("b", "in use", 1),
            ("toy", "in use", 2),
        ]
        member = found[1]["in"][1]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", member.pop("since"))
        assert member == {"pid": second.pid, "user": "geeko", "terminal": other_path, "command": [*WAIT, "a b"]}
        first.kill()
        first.wait()
        assert [row[:2] for row in table(host)] == [["b", f"{third.pid}"], ["toy", f"{second.pid}"]]
        assert host.run("toy", "status").stdout.splitlines()[1] == "state: in use; who is in: toy list"
    host.run(*OVERLAY, "true")  # and waits for the machine to end
    assert table(host)[1] == ["toy", "-", "-", "-", "-", "-"]


def test_what_would_write_on_the_terminal_or_fake_a_row(host: Host) -> None:
    awkward = ["a\tb", "c\n1\troot\t\t5\t1", "\x1b[2J", "", "\udcff"]
    with running(host, "env", "SUDO_USER=x\ty\nz", *OVERLAY, *WAIT, *awkward) as process:
        (row,) = table(host)
        assert row[:4] == ["toy", f"{process.pid}", "x\\ty\\nz", "-"]
        shown = "sh -c 'echo waiting; exec sleep 1000' 'a\\tb' 'c\\n1\\troot\\t\\t5\\t1' '\\x1b[2J' '' '\\udcff'"
        assert shown.startswith(row[5].removesuffix("..."))
        (machine,) = as_json(host)
        (member,) = machine["in"]
        assert (member["user"], member["command"]) == ("x\ty\nz", [*WAIT, *awkward])


def test_a_long_command_runs_and_is_listed_as_far_as_there_is_room(host: Host) -> None:
    words = [f"{number}" for number in range(60_000)]
    script = "echo waiting; echo $#; read line"
    with running(host, *OVERLAY, "sh", "-c", f"{script} < /dev/zero", "sh", *words) as process:
        (row,) = table(host)
        assert row[5].endswith("...")
        (machine,) = as_json(host)
        listed = machine["in"][0]["command"][4:]
        assert len(listed) > 1000
        assert listed[:-1] == words[: len(listed) - 1]
        assert process.stdout is not None
        assert process.stdout.readline() == b"60000\n"


def test_a_keeper_that_hangs_keeps_nobody_waiting(host: Host) -> None:
    with running(host, "toy", "-n", "a", "--", *WAIT) as process, running(host, *OVERLAY, *WAIT):
        (hanging,) = keepers(host, "toy")
        os.kill(hanging, signal.SIGSTOP)
        try:
            rows = table(host)
            assert rows[0][1] == f"{process.pid}"
            assert rows[1] == ["toy", "-", "-", "-", "-", "(not answering)"]
            assert as_json(host)[1] == {"machine": "toy", "state": "not answering", "in": None}
        finally:
            os.kill(hanging, signal.SIGCONT)
        assert as_json(host)[1]["state"] == "in use"


def test_a_keeper_that_was_killed(host: Host) -> None:
    with running(host, *OVERLAY, *WAIT):
        (pid,) = keepers(host, "toy")
        os.kill(pid, signal.SIGKILL)
        while as_json(host)[0]["state"] != "not in use":
            pass  # it takes a moment to die
        assert table(host) == [["toy", "-", "-", "-", "-", "-"]]


HOLD = """
mount -t tmpfs tmpfs /tmp
cd /tmp
mkdir lower upper work merged
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work "$1" merged
echo waiting
exec sleep 1000
"""
"""Mounts an overlay with a source of one's choice, as if a killed launch was not gone yet."""


def test_a_machine_that_is_coming_up(host: Host) -> None:
    host.run(*OVERLAY, "true")
    upper = (host.toy / "toy/overlay").stat()
    host.run("rm", "/var/lib/toy/toy/seen")
    source = f"toy:{upper.st_dev}:{upper.st_ino}"
    with running(host, "unshare", "--mount", "sh", "-ec", HOLD, "sh", source):
        coming = subprocess.Popen(host.command(*OVERLAY, "true"))  # it waits for somebody
        while (found := as_json(host)) == [{"machine": "toy", "state": "not in use", "in": []}]:
            pass
        assert found == [{"machine": "toy", "state": "coming up", "in": None}]
        assert table(host) == [["toy", "-", "-", "-", "-", "(coming up)"]]
    assert coming.wait() == 0


def test_a_machine_that_is_ending(host: Host) -> None:
    host.run(*OVERLAY, "true")
    script = "mkdir /run/toy/toy; toy list | tail -n 1; rmdir /run/toy/toy; toy list | tail -n 1"
    shown = host.run("flock", "/var/lib/toy/toy", "sh", "-c", script).stdout.splitlines()
    assert shown == [f"{NOBODY_IN[:-1]}(ending)", NOBODY_IN]


CONNECT = """
import socket, sys, time
asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asking.connect("/run/toy/toy.socket")
print("waiting", flush=True)
time.sleep(1000)
"""


def test_who_asks_is_not_in(host: Host) -> None:
    """The last to leave waits for the bookkeeping, whoever has a connection to the keeper, and the machine ends."""
    script = "echo waiting; read line; zypper -n install hello >&2; echo installed"
    with (
        subprocess.Popen(
            host.command(*OVERLAY, "sh", "-c", script),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as last,
    ):  # fmt: skip
        assert last.stdout is not None
        assert last.stdout.readline() == b"waiting\n"
        with running(host, "/usr/bin/python3", "-c", CONNECT):
            last.communicate(b"\n")
            assert host.run("toy", "list").stdout.splitlines() == [HEADINGS, NOBODY_IN]
            assert "hello-1" in packages(host, *OVERLAY)
            assert is_current(host, *OVERLAY)


def test_in_a_machine(host: Host) -> None:
    done = toy(host, "toy", "list")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "toy: this is inside machine toy, where it does not show who is in; on the host: toy list\n"


def test_not_root(host: Host) -> None:
    line = refused(host, "setpriv", "--reuid=65534", "--clear-groups", "toy", "list", "--json")
    assert line == "toy must run as root; try: sudo toy list --json"


def test_a_throwaway_machine(microos: MicroOS) -> None:
    publish(microos, NEXT)
    microos.update(*microos.zypper_in_snapshot("install", "editor"))
    with running(microos, "toy", "--snapshot", "default", "--", *WAIT) as process:
        (row,) = table(microos)
        assert row[:2] == [f"snapshot-2-{process.pid}", f"{process.pid}"]
