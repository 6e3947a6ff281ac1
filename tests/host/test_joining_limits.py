# SPDX-License-Identifier: GPL-2.0-or-later
"""Joining a machine whose keeper does not answer, or has as many files open as it can."""

import os
import signal
import subprocess

import pytest
from host import Host
from overlay import keepers, start, toy
from truth import OVERLAY

STAYING = 25


@pytest.mark.parametrize("option", ["-S", ""], ids=["soft", "hard"])
def test_a_keeper_that_was_started_with_few_files_hurts_nobody(host: Host, option: str) -> None:
    toy(host, "true")
    process = start(host, "bash", "-c", f"ulimit {option} -n 30; exec toy -- sh -c 'echo waiting; exec sleep 1000'")
    stay = "echo > /run/in-$0; until [ -e /run/go ]; do sleep 0.1; done"
    lines = [host.command(*OVERLAY, "sh", "-c", stay, f"{each}") for each in range(STAYING)]
    started = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for line in lines]
    refused: list[subprocess.Popen[str]] = []
    while len(refused) + len(toy_or_none(host)) < STAYING:
        refused = [each for each in started if each.poll() is not None]
    (keeper,) = keepers(host)
    if option:
        assert refused == []
    host.run("nsenter", "-t", f"{leader(keeper)}", "--mount", "--root", "touch", "/run/go")
    said = {(each.communicate()[1], each.returncode) for each in started}
    refusal = ("toy: machine toy cannot hold more; see who is in: toy list\n", 125)
    if option:
        assert said == {("", 0)}
    else:
        assert {status for _, status in said} == {0, 125}
        assert {each for each in said if each[1]} == {refusal}
    process.terminate()
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM  # by no other one


def leader(keeper: int) -> int:
    """Return the PID of the first process of a keeper's machine."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout.splitlines()
    children = {parent: pid for pid, parent in map(str.split, lines)}
    pid = f"{keeper}"
    while pid in children:
        pid = children[pid]
    return int(pid)


def toy_or_none(host: Host) -> list[str]:
    """Return who says in the machine that he is in."""
    (keeper,) = keepers(host)
    root = f"/proc/{leader(keeper)}/root/run"
    return [name for name in os.listdir(root) if name.startswith("in-")]


def test_a_keeper_that_is_stopped_is_waited_for_with_a_line(host: Host) -> None:
    process = start(host, *OVERLAY, "sh", "-c", "echo waiting; exec sleep 1000")
    (keeper,) = keepers(host)
    os.kill(keeper, signal.SIGSTOP)
    with subprocess.Popen(
        host.command(*OVERLAY, "echo", "in"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as joins:
        assert joins.stderr is not None
        line = joins.stderr.readline()
        os.kill(keeper, signal.SIGCONT)
        assert joins.communicate() == ("in\n", "")
    assert line == "toy: waiting for machine toy, which does not answer; see who is in: toy list\n"
    process.terminate()
    process.communicate()
