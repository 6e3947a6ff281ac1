# SPDX-License-Identifier: GPL-2.0-or-later
"""How a status reads, and what of the log it tells, without a machine."""

import json
from pathlib import Path

import pytest

from toy import events
from toy.events import Event, Reconciliation
from toy.report import show
from toy.report.status import BEHIND, CURRENT, IN_USE, INSIDE, LOST, NOT_ENTERED, Conflict, Status, Versions

STATES = {
    CURRENT: "current",
    BEHIND: "behind, the host changed since",
    IN_USE: "in use; who is in: toy list",
    INSIDE: "in use, and this is inside it; the host knows more: toy status m",
    NOT_ENTERED: "not entered yet; to enter it: toy -n m",
    LOST: "without its rpm database; to have it made anew: toy -n m -- true",
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_in_words(state: str) -> None:
    assert list(show.lines(Status("m", state))) == ["machine: m", f"state: {STATES[state]}"]
    found = show.fields(Status("m", state))
    assert (found["state"], found["in_use"]) == (state, state in (IN_USE, INSIDE))
    assert (found["added"], found["broken"], found["events"]) == (None, None, [])


def test_state_and_history() -> None:
    status = Status(
        "m",
        CURRENT,
        current=True,
        added=[Versions("a", "noarch", "2-1", "1-1"), Versions("b", "x86_64", "1-1", None)],
        removed=[Versions("c", "noarch", None, "1:1-1")],
        conflicts=[Conflict("/x", "d 1-1", None)],
        shadowed=["/y", "/usr/share/mime/mime.cache", "/var/lib/ca-certificates"],
        broken=["e is needed by a"],
        read_only=["/opt/deep"],
        missing=[],
        lacking=["/var/lib/z"],
        differing=["/var/lib/w"],
        foreign=["/s/x is not a header file"],
        history=Reconciliation("2026-01-01T00:00:00+00:00", [Event("retired", "f 1-1 (host has 2-1)")]),
    )
    assert list(show.lines(status))[2:] == [
        "added: a 2-1 (host has 1-1)",
        "added: b 1-1",
        "removed: c (host has 1:1-1)",
        "conflict: /x of the host's d 1-1 is missing here",
        "shadowed: /y (changed later on the host)",
        "shadowed: /usr/share/mime/mime.cache"
        " (changed later on the host; make it anew: toy -n m -- update-mime-database /usr/share/mime)",
        "shadowed: /var/lib/ca-certificates"
        " (changed later on the host; make it anew: toy -n m -- update-ca-certificates)",
        "read-only: /opt/deep (the kernel mounts no overlay over it)",
        "lacking: /var/lib/z (in the machine's own /var; to copy the host's: cp -a /var/lib/z /var/lib/toy/m/var/lib/)",
        "differing: /var/lib/w (a directory on one side only; to have what the host has in /var:"
        " mv /var/lib/toy/m/var/lib/w /var/lib/toy/m/var/lib/w.away; cp -a /var/lib/w /var/lib/toy/m/var/lib/w)",
        "broken: e is needed by a",
        "mend: toy -n m -- zypper verify",
        "foreign: /s/x is not a header file",
        "reconciled: 2026-01-01T00:00:00+00:00",
        "retired: f 1-1 (host has 2-1)",
    ]
    assert json.loads(json.dumps(show.fields(status))) == {
        "version": 1,
        "machine": "m",
        "state": "current",
        "in_use": False,
        "current": True,
        "added": [
            {"name": "a", "arch": "noarch", "overlay": "2-1", "host": "1-1"},
            {"name": "b", "arch": "x86_64", "overlay": "1-1", "host": None},
        ],
        "removed": [{"name": "c", "arch": "noarch", "overlay": None, "host": "1:1-1"}],
        "conflicts": [{"path": "/x", "host": "d 1-1", "overlay": None}],
        "shadowed": ["/y", "/usr/share/mime/mime.cache", "/var/lib/ca-certificates"],
        "broken": ["e is needed by a"],
        "reconciled": "2026-01-01T00:00:00+00:00",
        "retired": ["f 1-1 (host has 2-1)"],
        "events": [{"kind": "retired", "text": "f 1-1 (host has 2-1)"}],
        "read_only": ["/opt/deep"],
        "missing": [],
        "lacking": ["/var/lib/z"],
        "differing": ["/var/lib/w"],
        "foreign": ["/s/x is not a header file"],
    }


@pytest.mark.parametrize(
    ("log", "time", "kinds"),
    [
        ("1 retired: a\n1 followed: x\n", "1", ["retired", "followed"]),
        ("1 retired: a\n2 kept: b\n", "2", ["kept"]),
        ("1 retired: a\n1 followed: x\n2 followed: y\n3 followed: z\n", "1", ["retired", "followed"]),
        ("1 followed: x\n2 followed: y\n", "2", ["followed"]),
        ("2 followed: x\n1 followed: y\n", "1", ["followed"]),  # a clock that was put back
        ("2 retired: a\n1 kept: b\n", "1", ["kept"]),
        ("1 retired: a\nno line of ours\n", "1", ["retired"]),
        ("1 retired: a\n2 fol", "1", ["retired"]),
    ],
)
def test_the_log_of_the_last_time_that_there_was_something_to_say(
    tmp_path: Path, log: str, time: str, kinds: list[str]
) -> None:
    (tmp_path / "log").write_text(log)
    last = events.last(tmp_path / "log")
    assert last is not None
    assert (last.time, [event.kind for event in last.events]) == (time, kinds)


def test_a_log_that_says_nothing(tmp_path: Path) -> None:
    assert events.last(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert events.last(tmp_path / "empty") is None
