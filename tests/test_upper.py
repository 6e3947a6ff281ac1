# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations on an upper leave alone what is not theirs, whoever arranged the tree and whatever a header says."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from toy.apply import WritableUpper
from toy.operations import Operations
from toy.package import PackageFile

EMPTY = "md5:d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def tree(tmp_path: Path) -> WritableUpper:
    """A tree with a file outside of it that an operation might reach."""
    for name in ("upper/usr", "var", "lower/usr", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outside/file").touch()
    (tmp_path / "lower/usr/file").touch()
    return WritableUpper(tmp_path / "upper", tmp_path / "var", tmp_path / "lower", ())


def operations(
    *,
    remove: Sequence[PackageFile] = (),
    show: Sequence[str] = (),
    merge: Sequence[str] = (),
    clear: Sequence[str] = (),
    hide: Sequence[str] = (),
    sweep: bool = False,
    drop: Sequence[str] = (),
) -> Operations:
    return Operations(list(remove), [], list(show), list(merge), list(clear), [], list(hide), sweep, list(drop))


def regular(path: str) -> PackageFile:
    return PackageFile(path, stat.S_IFREG | 0o644, EMPTY, "", False, "root:root")


def everything(path: str) -> Operations:
    """Every operation on one path."""
    directory, paths = PackageFile(path, stat.S_IFDIR | 0o755, "", "", False, "root:root"), [path]
    return Operations([regular(path), directory], paths, paths, paths, paths, paths, paths, True, paths)


@pytest.mark.parametrize(
    "path",
    ["/../outside/file", "/usr/../../outside/file", "/usr/..", "/usr/../..", "relative", "", "/", "/.", "//", "/usr/."],
)
def test_no_path_leads_out(tree: WritableUpper, tmp_path: Path, path: str) -> None:
    tree.apply(everything(path))
    assert (tmp_path / "outside/file").exists()
    assert sorted(os.listdir(tmp_path)) == ["lower", "outside", "upper", "var"]
    assert sorted(os.listdir(tmp_path / "upper")) in (["usr"], [])


def test_no_symbolic_link_of_the_overlay_is_followed(tree: WritableUpper, tmp_path: Path) -> None:
    (tmp_path / "upper/usr").rmdir()
    (tmp_path / "upper/usr").symlink_to(tmp_path / "outside")
    tree.apply(everything("/usr/file"))
    assert (tmp_path / "outside/file").exists()
    assert (tmp_path / "upper/usr").is_symlink()


def test_hide_and_show_are_inverse_and_may_be_repeated(tree: WritableUpper, tmp_path: Path) -> None:
    for _ in range(2):
        tree.apply(operations(hide=["/usr/file"]))
        status = (tmp_path / "upper/usr/file").lstat()
        assert stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
    for _ in range(2):
        tree.apply(operations(show=["/usr/file"]))
        assert not (tmp_path / "upper/usr/file").exists()


def test_a_directory_is_hidden_with_the_last_thing_in_it(tree: WritableUpper, tmp_path: Path) -> None:
    (tmp_path / "lower/usr/dir/inner").mkdir(parents=True)
    (tmp_path / "lower/usr/dir/inner/file").touch()
    (tmp_path / "lower/usr/dir/foreign").touch()
    paths = ["/usr/dir", "/usr/dir/inner", "/usr/dir/inner/file"]
    tree.apply(operations(hide=paths))
    assert stat.S_ISCHR((tmp_path / "upper/usr/dir/inner").lstat().st_mode)
    assert (tmp_path / "upper/usr/dir").is_dir()
    (tmp_path / "lower/usr/dir/foreign").unlink()
    tree.apply(operations(hide=paths))
    assert stat.S_ISCHR((tmp_path / "upper/usr/dir").lstat().st_mode)


def test_only_what_the_package_installed_is_removed(tree: WritableUpper, tmp_path: Path) -> None:
    usr = tmp_path / "upper/usr"
    (usr / "same").touch()
    (usr / "changed").write_text("x")
    (usr / "link").symlink_to("elsewhere")
    (usr / "directory").mkdir()
    names = ("same", "changed", "link", "directory", "missing")
    assert tree.apply(operations(remove=[regular(f"/usr/{name}") for name in names])) == [
        "/usr/changed",
        "/usr/directory",
        "/usr/link",
    ]
    assert sorted(os.listdir(usr)) == ["changed", "directory", "link"]
