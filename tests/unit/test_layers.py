# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlays that a machine consists of, and what an upper must not have for one to be started."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from toy.errors import ToyError
from toy.host.mounted import Mounted
from toy.launch import layers
from toy.launch.layers import Overlay, overlays
from toy.machine import Machine


def machine_at(directory: Path, *, root: str = "/", etc: Sequence[str] = ()) -> Machine:
    """Return a machine whose upper and work directories are below a directory."""
    machine = Machine("m", root, etc)
    machine.overlay, machine.work = f"{directory}/upper", f"{directory}/work"
    os.mkdir(machine.overlay)
    os.mkdir(machine.work)
    return machine


def mounted(*shown: str) -> Mounted:
    """Return what a host has mounted: places, after a colon the type."""
    found = Mounted(without="/nowhere")
    found.shown = [(point, kind or "btrfs") for point, _, kind in (each.partition(":") for each in shown)]
    return found


def arrange(directory: str, *entries: str) -> None:
    """Make what a directory has: directories end with a slash, links have an arrow, the others are files."""
    for entry in entries:
        path, _, target = entry.partition(" -> ")
        where = Path(directory, path)
        where.parent.mkdir(parents=True, exist_ok=True)
        if target:
            where.symlink_to(target)
        elif path.endswith("/"):
            where.mkdir(exist_ok=True)
        else:
            where.touch()


class Case(NamedTuple):
    """What the host has mounted, what the upper has, and the mount points of the overlays."""

    mounted: Sequence[str]
    upper: Sequence[str]
    points: Sequence[str]


CASES = {
    "nothing is mounted": Case([], [], [""]),
    "the upper has nothing there": Case(["/usr/local"], [], ["", "/usr/local"]),
    "the upper has the directory": Case(["/usr/local"], ["usr/local/"], ["", "/usr/local"]),
    "the upper has the one above": Case(["/srv/a/b"], ["srv/a/"], ["", "/srv/a/b"]),
    "the upper has a file in its place": Case(["/srv/a"], ["srv/a"], [""]),
    "the upper has a link in its place": Case(["/srv/a"], ["srv/a -> /usr"], [""]),
    "the upper has a file above": Case(["/srv/a/b"], ["srv/a"], [""]),
    "the upper has a link above": Case(["/srv/a/b"], ["srv -> /"], [""]),
    "one of several has something in its way": Case(
        ["/opt", "/srv", "/usr/local"], ["opt/", "srv"], ["", "/opt", "/usr/local"]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_where_there_is_an_overlay(tmp_path: Path, case: Case) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, *case.upper)
    found = overlays(machine, ["/"], mounted(*case.mounted))
    assert [each.point for each in found] == case.points


def described(overlay: Overlay) -> tuple[str, list[str], str, str, str]:
    return overlay.point, overlay.lower, overlay.upper, overlay.work, overlay.stage


def test_what_an_overlay_is_made_of(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    one, other = f"{tmp_path}/one", f"{tmp_path}/other"
    arrange(one, "usr/local/", "srv")
    arrange(other, "usr/local/x/")
    arrange(machine.overlay, "opt")
    lower, local = [one, other, "/"], "/usr/local"
    upper, work = machine.overlay, machine.work
    layers_of_local = [one + local, other + local, local]
    found = overlays(machine, lower, mounted("/opt", "/srv", "/usr/local", "/usr/local/x"))
    assert list(map(described, found)) == [
        ("", lower, upper, f"{work}/0", ""),
        ("/srv", ["/srv"], f"{upper}/srv", f"{work}/1", f"{work}/1.merged"),
        (local, layers_of_local, f"{upper}{local}", f"{work}/2", f"{work}/2.merged"),
        (f"{local}/x", [f"{other}{local}/x", f"{local}/x"], f"{upper}{local}/x", f"{work}/3", f"{work}/3.merged"),
    ]


@pytest.mark.parametrize(("kind", "is_possible"), [("vfat", False), ("msdos", False), ("exfat", False), ("ext4", True)])
def test_what_the_kernel_takes_as_a_lower_layer(tmp_path: Path, kind: str, is_possible: bool) -> None:
    root, efi = overlays(machine_at(tmp_path), ["/"], mounted(f"/boot/efi:{kind}"))
    assert root.is_possible
    assert efi.is_possible == is_possible


@pytest.mark.parametrize(
    ("etc", "upper", "found"),
    [
        ((), [], [("/srv", "1")]),
        (("/z/etc", "/a/etc"), [], [("/etc", "1"), ("/srv", "2")]),
        (("/z/etc", "/a/etc"), ["etc/"], [("/etc", "1"), ("/srv", "2")]),
    ],
)
def test_the_layers_of_etc(tmp_path: Path, etc: Sequence[str], upper: list[str], found: list[tuple[str, str]]) -> None:
    machine = machine_at(tmp_path, etc=etc)
    arrange(machine.overlay, *upper)
    _, *below = overlays(machine, ["/"], mounted("/srv"))
    assert [(each.point, each.work.rpartition("/")[2]) for each in below] == found
    assert [each.lower for each in below if each.point == "/etc"] == ([list(etc)] if etc else [])


@pytest.mark.parametrize(
    ("root", "points"),
    [
        ([], ["", "/srv", "/usr"]),
        (["usr/"], ["", "/srv", "/usr"]),
        (["usr/bin/", "srv/"], ["", "/srv"]),
        (["usr/bin", "srv/x"], [""]),
    ],
)
def test_of_another_root_only_what_it_lacks_is_the_running_ones(
    tmp_path: Path, root: list[str], points: list[str]
) -> None:
    machine = machine_at(tmp_path, root=f"{tmp_path}/root")
    arrange(machine.root, *root)
    inside, beside = f"{machine.root}/var", f"{machine.root}2"
    arrange(f"{tmp_path}", "root/", "root2/")
    found = overlays(machine, [machine.root], mounted("/srv", "/usr", inside, beside))
    assert [each.point for each in found] == [*points, beside]


def test_of_the_running_root_it_does_not_matter_what_is_mounted_there(tmp_path: Path) -> None:
    assert [each.point for each in overlays(machine_at(tmp_path), ["/"], mounted("/usr"))] == ["", "/usr"]


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp", "usr", "var"])
@pytest.mark.parametrize("entry", ["{}", "{} -> /tmp", "{} -> nowhere"])
def test_a_top_directory_that_is_none_is_refused(tmp_path: Path, name: str, entry: str) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, entry.format(name))
    with pytest.raises(ToyError) as raised:
        overlays(machine, ["/"], mounted())
    assert raised.value.what == f"{machine.overlay}/{name} is not a directory"
    assert raised.value.next_step.endswith(f" {machine.overlay}/{name} {machine.overlay}/{name}.away")


def test_a_machine_id_that_is_no_file_is_refused(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, "etc/")
    os.mkfifo(f"{machine.overlay}/etc/machine-id")
    with pytest.raises(ToyError) as raised:
        overlays(machine, ["/"], mounted())
    path = f"{machine.overlay}/etc/machine-id"
    assert raised.value.what == f"{path} is not a regular file"
    assert raised.value.next_step.endswith(f" {path} {path}.away")


@pytest.mark.parametrize(
    "upper",
    [
        ["etc/machine-id"],
        ["etc/", "usr/", "var/", "dev/", "proc/", "run/", "sys/", "tmp/"],
        ["bin -> usr/bin", "home", "mnt -> /"],
    ],
)
def test_what_is_as_it_should_be_is_not(tmp_path: Path, upper: list[str]) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, *upper)
    assert len(overlays(machine, ["/"], mounted())) == 1


def test_a_machine_id_that_was_removed_is_not_either(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, "etc/")
    os.mknod(f"{machine.overlay}/etc/machine-id", stat.S_IFCHR, os.makedev(0, 0))  # a whiteout needs no privilege
    assert len(overlays(machine, ["/"], mounted())) == 1


def test_work_directories_are_made_for_root_alone(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    arrange(machine.overlay, "srv/")
    found = overlays(machine, ["/"], mounted("/srv"))
    for _ in range(2):
        layers.make_directories(found)
        assert sorted(os.listdir(machine.work)) == ["0", "1", "1.merged"]
    assert {stat.S_IMODE(os.stat(f"{machine.work}/{name}").st_mode) for name in ("0", "1", "1.merged")} == {0o700}
