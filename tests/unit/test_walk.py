# SPDX-License-Identifier: GPL-2.0-or-later
"""A walk through a tree that somebody else arranges, and changes meanwhile."""

import os
from pathlib import Path, PurePath

import pytest

from toy.filesystem.walk import walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of directories, with a file and links."""
    for path in ("a/b/c", "a/d", "e/f"):
        (tmp_path / "tree" / path).mkdir(parents=True)
    (tmp_path / "tree/a/file").touch()
    (tmp_path / "tree/a/up").symlink_to("..")
    (tmp_path / "outside/inner").mkdir(parents=True)
    (tmp_path / "tree/e/out").symlink_to(tmp_path / "outside")
    return tmp_path / "tree"


def places(tree: Path, below: str = "", skip: str = "none") -> list[str]:
    return [str(path) for path, _ in walk(tree, PurePath(below), skip={PurePath(skip)})]


def test_each_comes_after_the_one_that_it_is_in(tree: Path) -> None:
    found = places(tree)
    assert sorted(found) == [".", "a", "a/b", "a/b/c", "a/d", "e", "e/f"]
    assert all(found.index(str(PurePath(path).parent)) < found.index(path) for path in found[1:])


def test_what_is_in_a_directory_can_be_left_out_once_it_is_seen(tree: Path) -> None:
    skip: set[PurePath] = set()
    found = []
    for path, _ in walk(tree, skip=skip):
        found.append(str(path))
        if path.name == "b":
            skip.add(path)
    assert sorted(found) == [".", "a", "a/b", "a/d", "e", "e/f"]


def test_the_descriptor_is_that_of_the_directory(tree: Path) -> None:
    assert all(os.path.samestat(os.fstat(fd), os.stat(tree / path)) for path, fd in walk(tree))


@pytest.mark.parametrize(
    ("below", "skip", "found"),
    [
        ("a", "none", ["a", "a/b", "a/b/c", "a/d"]),
        ("", "a", [".", "e", "e/f"]),
        ("a", "a/b", ["a", "a/d"]),
        ("e/out", "none", []),
        ("nowhere", "none", []),
    ],
)
def test_a_part_of_it(tree: Path, below: str, skip: str, found: list[str]) -> None:
    assert sorted(places(tree, below, skip)) == found


def test_what_is_moved_meanwhile_leads_nowhere_else(tree: Path) -> None:
    found = []
    for path, _ in walk(tree):
        found.append(str(path))
        if path == PurePath("a/b/c"):
            (tree / "a/b/c").rename(tree.parent / "outside/inner/c")  # its .. is no longer a/b
    assert sorted(found) == [".", "a", "a/b", "a/b/c", "a/d", "e", "e/f"]


def test_what_vanishes_meanwhile_is_left_out(tree: Path) -> None:
    found = []
    for path, _ in walk(tree):
        found.append(str(path))
        if path == PurePath("a"):
            (tree / "a/b/c").rmdir()
            (tree / "a/b").rmdir()
    assert sorted(found) == [".", "a", "a/d", "e", "e/f"]


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = os.listdir("/proc/self/fd")
    assert len(places(tree)) == 7
    assert os.listdir("/proc/self/fd") == before
