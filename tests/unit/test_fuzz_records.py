# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is in a record of a machine: it is read as far as it makes sense, or refused in one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz import ODD, damaged, fuzzed, mutated, unhurried
from hypothesis import given
from hypothesis import strategies as st
from plans import BY_PLACE, PLAN
from tables import file

from toy import events
from toy.database import keyring
from toy.errors import ToyError
from toy.events import Event
from toy.following import accounts, renumber, seeded
from toy.headers import header
from toy.headers.stamp import Stamp
from toy.launch import fingerprint, limits
from toy.machine import Machine
from toy.reconcile import journal, moved, retired
from toy.reconcile.plan import Plan

pytestmark = unhurried

MOVED = {"moved": {"/usr/lib": {"/usr/lib/a": "/lib/a"}}, "links": {"/x": {"/x/y": "../z"}}, "copies": {}}
SEEDED = {
    "owned": {file("a-1"): ["/var/lib/a"]},
    "aliases": {"/var": "/var"},
    "came": {"lib/a": "100644 0:0 1 x", "lib/b": "directory"},
}
STEPS = {"steps": [["passwd", [["a", 101, 102]]]], "events": [["clash", "x"]]}


def is_text(*values: str) -> bool:
    """Say whether these can be arguments of a command."""
    return all("\0" not in os.fsdecode(os.fsencode(value)) for value in values)


def read_base(path: Path) -> None:
    found = journal.read_base(path)
    assert found is None or (all(map(header.is_file_name, found)) and is_text(*found))


def read_plan(path: Path) -> None:
    try:
        plan = Plan.from_json(path.read_bytes())
    except ValueError:
        return
    assert Plan.from_json(plan.to_json()) == plan
    assert len(dict.fromkeys(plan.events)) <= len(plan.events)
    for run in plan.triggers:
        assert run.command and is_text(*run.command, *run.paths, run.package, run.again)
    for each in plan.operations.remove:
        assert is_text(each.path, each.owner, each.digest, each.target, str(each.is_directory))


def read_retired(path: Path) -> None:
    for name, one in retired.read(path).items():
        assert is_text(name, one.label, one.name, *one.evr, *one.to)
        header.package(one.name)


def read_moved(path: Path) -> None:
    for part in moved.read(path):
        for link, paths in part.items():
            assert is_text(link, *paths, *paths.values())


def read_untold(path: Path) -> None:
    happened = events.untold(path)
    events.record(path.parent / "log", happened)
    events.keep(path, [*happened, Event("kept", "x")])
    assert Event("kept", "x") in events.untold(path)


def read_keys(path: Path) -> None:
    keyring.remember(path, {**keyring.recall(path), path: "x"})


def read_seeded(path: Path) -> None:
    for name, paths in (seeded.owned(path, {"/var": "/var"}) or {}).items():
        assert is_text(name, *paths)
    seeded.renumber(path, {1: 2}, of_users=True)


def read_renumbering(path: Path) -> None:
    for step in renumber.recorded(_machine(path, "renumbering")).steps:
        assert step.table in renumber.TABLES
        assert is_text(*(move.name for move in step.moves))


def _machine(path: Path, name: str) -> Machine:
    machine = Machine("m")
    setattr(machine, name, os.fspath(path))
    return machine


RECORDS: dict[str, tuple[Callable[[Path], None], list[Any]]] = {
    "base": (read_base, [{"version": 1, "headers": [file("a-1"), file("b-1")]}, [file("a-1")]]),
    "intent": (read_plan, [json.loads(PLAN.to_json()), BY_PLACE]),
    "retired": (read_retired, [{"version": 1, "retired": {"a": {"label": "a 1:1-1", "to": ["a", "b"]}}}]),
    "moved": (read_moved, [{"version": 1, **MOVED}]),
    "untold": (read_untold, [{"version": 1, "events": [{"kind": "kept", "text": "x"}, {"kind": "x", "text": ""}]}]),
    "keys": (read_keys, [{"version": 1, "keys": {"pubkeys/a": "00"}}]),
    "seeded": (read_seeded, [{"version": 1, **SEEDED}, [SEEDED["owned"], SEEDED["came"]]]),
    "renumbering": (read_renumbering, [{"version": 1, **STEPS}]),
}


@pytest.mark.parametrize("name", RECORDS)
def test_any_record(name: str, tmp_path: Path) -> None:
    read, good = RECORDS[name]
    values = st.one_of(*map(damaged, good), ODD).map(lambda value: json.dumps(value).encode())
    raw = st.one_of(*(mutated(json.dumps(value).encode()) for value in good))

    @fuzzed
    @given(values | raw)
    def test(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        try:
            read(tmp_path / name)
        except ToyError as error:
            assert "\n" not in str(error)

    test()


SEEN = "\0".join(["toy 5", "/rpm", "", *"abcdef", "/", "end"]).encode()


def test_any_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "seen"

    @fuzzed
    @given(mutated(SEEN))
    def test(content: bytes) -> None:
        path.write_bytes(content)
        last = fingerprint.last(_machine(path, "seen"))
        assert last is None or (last.dbpath.startswith("/") and {*last.lower} <= {"/", Machine("m").host_layer})

    test()


def test_any_limits(tmp_path: Path) -> None:
    path = tmp_path / "limits"

    @fuzzed
    @given(mutated(rb" missing:/opt/a\040b\134c read-only:/usr"))
    def test(content: bytes) -> None:
        path.write_bytes(content)
        for kind in (limits.MISSING, limits.READ_ONLY):
            assert all(point.startswith("/") for point in limits.recorded(_machine(path, "limits"), kind))

    test()


@fuzzed
@given(mutated(Stamp.of({"a": [1, 2], "b": [3]}, {1: 7, 2: 7, 3: 8}).to_bytes()))
def test_any_stamp(content: bytes) -> None:
    try:
        stamp = Stamp.from_bytes(content)
    except ValueError:
        return
    assert Stamp.from_bytes(stamp.to_bytes()) == stamp
    assert len(stamp.transactions) <= 1_000_000


PASSWD = b"root:x:0:0::/root:/bin/sh\na:x:101:100::/:/bin/sh\n+::::::\n#x\n"
GROUP = b"root:x:0:\na:x:101:b,c\n"
SUBUID = b"a:100000:65536\na:200000:65536\n"


@fuzzed
@given(st.sampled_from([("passwd", PASSWD), ("group", GROUP), ("gshadow", GROUP), ("subuid", SUBUID)]), st.data())
def test_any_accounts(table: tuple[str, bytes], data: st.DataObject) -> None:
    name, content = table
    then, now, ours = (data.draw(mutated(content)) for _ in range(3))
    merged = accounts.merge(name, then=then, now=now, ours=ours)
    assert accounts.merge(name, then=then, now=then, ours=ours) == ours
    assert accounts.merge(name, then=now, now=now, ours=merged) == merged
