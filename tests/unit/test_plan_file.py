# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan as it is stored, also as earlier versions stored it; and what is no plan."""

import fnmatch
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from plans import BY_PLACE, PLAN, C
from tables import FILE, file
from world import World

from toy.filesystem.records import Later
from toy.overlay.operations import Operations
from toy.reconcile import generated
from toy.reconcile.plan import Plan
from toy.reconcile.triggers import Run


def test_what_was_stored_is_read() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN
    assert Plan.from_json(PLAN._replace(base=None).to_json()).base is None
    assert Plan.from_json(PLAN._replace(base=frozenset()).to_json()).base == frozenset()


def test_what_is_planned_is_stored_and_read() -> None:
    planned = World(
        before=["a-1"], after=["a-2"], own=["b-1"], removed=["a-1"], upper={"/etc/ld.so.cache": FILE}
    ).plan()
    assert Plan.from_json(planned.to_json()) == planned


def test_it_has_a_version_and_names_for_its_fields() -> None:
    stored = json.loads(PLAN.to_json())
    assert stored["version"] == 1
    assert stored["since_base"] == {"added": [file("a-2")], "removed": [file("a-1")]}
    assert stored["operations"]["hide"] == ["/usr/bin/b"]
    assert stored["upper"] == {"files": [C], "whiteouts": [file("b-1")]}


def test_an_earlier_version_is_read() -> None:
    assert Plan.from_json(json.dumps(BY_PLACE).encode()) == PLAN._replace(retired={}, triggers=[])


def test_an_earlier_version_without_a_base_is_read() -> None:
    stored = [BY_PLACE[0], None, *BY_PLACE[2:]]
    assert Plan.from_json(json.dumps(stored).encode()) == PLAN._replace(base=None, retired={}, triggers=[])


def test_triggers_are_read_as_they_were_stored_with_the_paths_in_commands() -> None:
    commands = [["sh", "-c", "script", path] for path in ("/a", "/b")]
    stored = {**json.loads(PLAN.to_json()), "triggers": [{"package": "t 1-1", "commands": commands}]}
    assert Plan.from_json(json.dumps(stored).encode()).triggers == [Run("t 1-1", each, [], "t") for each in commands]


def test_a_later_version_is_told_from_a_damaged_one() -> None:
    with pytest.raises(Later):
        Plan.from_json(json.dumps({"version": 2, "steps": []}).encode())


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda stored: stored.pop(name)


def _path(where: str, path: object) -> Callable[[dict[str, Any]], object]:
    return lambda stored: stored["operations"].update({where: path})


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    **{f"without {name}": _without(name) for name in json.loads(PLAN.to_json()) if name not in ("retired", "triggers")},
    **{
        f"{path} in {where}": _path(where, [path])
        for where in Operations._fields
        if where not in ("remove", "sweep")
        for path in ("/../etc", "etc/x", "//x", "/a/./b", "/a\0b")
    },
    **{
        f"a path that is no list of {where}": _path(where, "/")
        for where in Operations._fields
        if where not in ("remove", "sweep")
    },
    "a path that is no list": _path("hide", "/etc"),
    "a number for a path": _path("show", [1]),
    "text for yes and no": _path("sweep", "no"),
    "an operation more": lambda stored: stored["operations"].update(other=[]),
    "an operation less": lambda stored: stored["operations"].pop("merge"),
    "a file that leads out": lambda stored: stored["operations"]["remove"][0].update(path="/../x"),
    "a host that is no header file": lambda stored: stored["host"].append("../x"),
    "a host that is no header file, and went": lambda stored: stored["since_base"]["removed"].append("../x"),
    "a host that is no header file, before it came": lambda stored: stored.update(
        host=[*stored["host"], "../x"], since_base={"added": [*stored["host"], "../x"], "removed": []}
    ),
    "an upper that is no header file": lambda stored: stored["upper"]["files"].append("../x"),
    "a whiteout that is no header file": lambda stored: stored["upper"]["whiteouts"].append("../x"),
    "a stand-in that is none": lambda stored: stored["stand_ins"].update({"/CANARY": ""}),
    "another blob": lambda stored: stored["stand_ins"].update({C: "AP8B"}),
    "a blob that is none": lambda stored: stored["stand_ins"].update({C: 7}),
    "another command": lambda stored: stored["caches"][0].update(command=["rm", "/CANARY"]),
    "another command in addition": lambda stored: stored["caches"].append(
        {"path": "/etc/ld.so.cache", "command": ["rm", "/CANARY"]}
    ),
    "another cache": lambda stored: stored["caches"][0].update(path="/CANARY"),
    "an event of numbers": lambda stored: stored["events"][0].update(text=[1]),
    "an event with half a character": lambda stored: stored["events"][0].update(text="\ud800"),
    "a mode that is none": lambda stored: stored["operations"]["remove"][0].update(mode="x"),
    "an owner that is none": lambda stored: stored["operations"]["remove"][0].update(owner=None),
    "nothing to run": lambda stored: stored["triggers"][0].update(command=[]),
    "a null byte to run": lambda stored: stored["triggers"][0].update(command=["\0"]),
    "an event without a kind": lambda stored: stored["events"][0].pop("kind"),
    "no version": lambda stored: stored.update(version="one"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_one_is_a_value_error(damage: Callable[[dict[str, Any]], object]) -> None:
    stored = json.loads(PLAN.to_json())
    damage(stored)
    with pytest.raises(ValueError):
        Plan.from_json(json.dumps(stored).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[", b"{}", b"[]", b"null", b"1", b'"x"', b"\xff", b"[" * 100_000, b"NaN", b"1" * 5_000]
)
def test_what_is_no_plan_is_a_value_error(content: bytes) -> None:
    assert sys.getrecursionlimit() < 100_000
    with pytest.raises(ValueError):
        Plan.from_json(content)


@pytest.mark.parametrize("place", range(len(BY_PLACE)))
def test_an_earlier_version_with_a_field_less_is_a_value_error(place: int) -> None:
    with pytest.raises(ValueError):
        Plan.from_json(json.dumps([*BY_PLACE[:place], *BY_PLACE[place + 1 :]]).encode())


@pytest.mark.parametrize("place", [1, 2, 4])
@pytest.mark.parametrize("change", [lambda parts: [*parts, []], lambda parts: parts[:-1]], ids=["more", "less"])
def test_an_earlier_version_with_other_parts_is_a_value_error(
    place: int, change: Callable[[list[Any]], list[Any]]
) -> None:
    stored: list[Any] = [*BY_PLACE]
    stored[place] = change(stored[place])
    with pytest.raises(ValueError):
        Plan.from_json(json.dumps(stored).encode())


def test_the_same_plan_is_stored_in_the_same_way() -> None:
    planned = World(
        before=["a-1", "b-1", "c-1"], after=["d-1", "e-1", "f-1"], removed=["b-1"], own=["g-1", "h-1"]
    ).plan()
    stored = json.loads(planned.to_json())
    lists = (stored["host"], *stored["since_base"].values(), *stored["upper"].values())
    assert all(names == sorted(names) for names in lists)
    assert (len(stored["since_base"]["added"]), len(stored["since_base"]["removed"])) == (3, 3)


INFO = 'for file in "$1"/*.info*; do [ ! -e "$file" ] || install-info "$file" "$1/dir" || exit; done'
CACHES = {
    "/etc/ld.so.cache": "ldconfig",
    "/etc/udev/hwdb.bin": "systemd-hwdb update",
    "/usr/lib/udev/hwdb.bin": "systemd-hwdb update --usr",
    "/usr/lib64/gio/modules/giomodule.cache": "gio-querymodules /usr/lib64/gio/modules",
    "/usr/share/applications/mimeinfo.cache": "update-desktop-database -q /usr/share/applications",
    "/usr/share/glib-2.0/schemas/gschemas.compiled": "glib-compile-schemas /usr/share/glib-2.0/schemas",
    "/usr/share/icons/hicolor/icon-theme.cache": "gtk-update-icon-cache -f -q /usr/share/icons/hicolor",
    "/usr/share/info/dir": f"sh -c {INFO} sh /usr/share/info",
    "/usr/share/mime/mime.cache": "update-mime-database /usr/share/mime",
}


def test_what_makes_generated_files_anew() -> None:
    found = generated.in_upper(lambda pattern: [path for path in CACHES if fnmatch.fnmatchcase(path, pattern)])
    assert {path: " ".join(command) for path, command in found} == CACHES
    assert all(map(generated.is_known, found))
    assert Plan.from_json(PLAN._replace(caches=found).to_json()).caches == found


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/etc/ld.so.cache", "ldconfig -n"),
        ("/etc/ld.so.cache", "systemd-hwdb update"),
        ("/etc/ld.so.cache2", "ldconfig"),
        ("/usr/share/mime/mime.cache", "update-mime-database /usr"),
        ("/usr/share/icons/../icon-theme.cache", "gtk-update-icon-cache -f -q /usr/share/icons/.."),
        (
            "/usr/share/icons/../../../home/icon-theme.cache",
            "gtk-update-icon-cache -f -q /usr/share/icons/../../../home",
        ),
    ],
)
def test_nothing_else_is_run(path: str, command: str) -> None:
    assert not generated.is_known((path, command.split()))
