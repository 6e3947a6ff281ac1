# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system that is full, read-only or broken: one line that names it, nothing is lost, and no event is."""

import json
import signal

from host import Host
from reconciled import enter
from truth import OVERLAY

STATE = "/var/lib/toy"
LOG = f"{STATE}/toy/log"
UNTOLD = f"{STATE}/toy/untold"


def happened(host: Host, text: str) -> str:
    """Have an event that nobody was told of yet, and return the line that tells of it."""
    host.write(UNTOLD, json.dumps({"version": 1, "events": [{"kind": "kept", "text": text}]}))
    return f"toy: kept: {text}"


class TestLog:
    """An event is said and logged, whatever happens to the log or to toy."""

    def test_a_log_that_cannot_be_written_hides_no_event(self, host: Host) -> None:
        enter(host)
        host.run("mkdir", LOG)
        said = happened(host, "/a")
        problem = (
            f"toy: the log of machine toy lacks what happened: {LOG}: not a regular file;"
            f" move it away: mv --backup=numbered -T {LOG} {LOG}.away"
        )
        for _ in range(2):
            done = host.run(*OVERLAY, "echo", "in")
            assert (done.stdout, done.stderr.splitlines()) == ("in\n", [said, problem])
        host.sh(problem.partition("away: ")[2])
        assert enter(host) == [said]
        assert host.sh(f"cut -d ' ' -f 2- {LOG}") == "kept: /a\n"
        assert enter(host) == []

    def test_it_hides_no_error(self, host: Host) -> None:
        enter(host)
        said = happened(host, "/a")
        host.sh(f"mkdir {LOG}; echo [ > {STATE}/toy/intent")
        done = host.run(*OVERLAY, "true", check=False)
        assert done.returncode == 125
        assert [line.split(" is ")[0].split(";")[0] for line in done.stderr.splitlines()] == [
            said,
            f"toy: the log of machine toy lacks what happened: {LOG}: not a regular file",
            f"toy: the plan {STATE}/toy/intent",
        ]
        host.sh(f"rmdir {LOG}; rm {STATE}/toy/intent")
        assert enter(host) == [said]
        assert host.sh(f"cut -d ' ' -f 2- {LOG}") == "kept: /a\n"

    def test_a_launch_that_is_killed_loses_no_event(self, host: Host) -> None:
        enter(host)
        points = []
        for call in ("openat", "pread64", "write", "fsync", "unlink"):
            for step in range(1, 20):
                said = happened(host, f"/{call}-{step}")
                command = ("strace", "-qqq", "-o", "/tmp/trace", "-P", LOG, "-P", UNTOLD, "-P", f"{STATE}/toy")
                inject = f"--inject={call}:signal=KILL:when={step}"
                killed = host.run(*command, inject, *OVERLAY, "true", check=False)
                if killed.returncode not in (-signal.SIGKILL, 128 + signal.SIGKILL):
                    break
                points.append((call, step))
                again = enter(host)
                assert again == [said] or (again == [] and said in killed.stderr.splitlines())
                assert said.removeprefix("toy: ") in host.sh(f"cut -d ' ' -f 2- {LOG}").splitlines()
        assert len(points) > 6
