# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations on an upper leave alone what is not theirs, whoever arranged the tree and whatever a header says."""

import os
import stat
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from toy.filesystem import files
from toy.headers.package import PackageFile
from toy.overlay.apply import WritableUpper
from toy.overlay.operations import Operations
from toy.overlay.upper_files import Trees

EMPTY = "md5:d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def tree(tmp_path: Path) -> WritableUpper:
    """A tree with a file outside of it that an operation might reach."""
    for name in ("upper/usr", "var", "lower/usr", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outside/file").touch()
    (tmp_path / "lower/usr/file").touch()
    return WritableUpper(Trees(tmp_path / "upper", tmp_path / "var", tmp_path / "lower", homes=()))


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
        "/usr/changed (changed in the overlay)",
        "/usr/directory (changed in the overlay)",
        "/usr/link (changed in the overlay)",
    ]
    assert sorted(os.listdir(usr)) == ["changed", "directory", "link"]


USER, NAMED, GROUP, MASK, OTHER, NOBODY = 1, 2, 4, 16, 32, 0xFFFFFFFF

ACL = struct.pack(
    "<I" + 5 * "HHI", 2, USER, 7, NOBODY, NAMED, 7, 1, GROUP, 5, NOBODY, MASK, 7, NOBODY, OTHER, 0, NOBODY
)
"""User 1 may write and the group may not, whose bits in the mode are the mask (linux, posix_acl_xattr.h)."""


def attributes(path: Path) -> object:
    status = path.lstat()
    extended = {name: os.getxattr(path, name) for name in os.listxattr(path) if not name.startswith("trusted.overlay.")}
    return status.st_mode, status.st_uid, status.st_gid, extended


class TestDirectories:
    """Directories that are made in an upper are like the lower's in all that says who may do what."""

    @pytest.fixture
    def lower(self, tmp_path: Path) -> Path:
        """A directory with an ACL in one with a default ACL, and others in it."""
        outer, inner = tmp_path / "lower/srv", tmp_path / "lower/srv/shared"
        outer.mkdir()
        os.setxattr(outer, "system.posix_acl_default", ACL)
        inner.mkdir()
        os.removexattr(inner, "system.posix_acl_default")
        os.setxattr(inner, "user.note", b"mine")
        os.chown(inner, 1, 2)
        for name, mode in (("bare", 0o750), ("sticky", 0o3775)):
            (inner / name).mkdir()
            (inner / name).chmod(mode)
            (inner / name / "file").touch()
            (inner / name / "other").touch()
        assert stat.S_IMODE(inner.stat().st_mode) == 0o770
        return tmp_path / "lower"

    def check(self, tmp_path: Path, paths: Iterable[str]) -> None:
        for path in paths:
            assert attributes(tmp_path / "upper" / path) == attributes(tmp_path / "lower" / path)
            assert not (tmp_path / "upper" / path / files.TEMPORARY).exists()

    def test_on_the_way_to_a_whiteout(self, tree: WritableUpper, lower: Path, tmp_path: Path) -> None:
        tree.apply(operations(hide=["/srv/shared/bare/file", "/srv/shared/sticky/file"]))
        self.check(tmp_path, ["srv", "srv/shared", "srv/shared/bare", "srv/shared/sticky"])

    def test_in_the_place_of_a_whiteout(self, tree: WritableUpper, lower: Path, tmp_path: Path) -> None:
        os.mknod(tmp_path / "upper/srv", stat.S_IFCHR, 0)
        paths = ["/srv/shared/sticky/file"]
        tree.apply(operations(show=paths)._replace(uncover=["/srv"]))
        self.check(tmp_path, ["srv", "srv/shared", "srv/shared/sticky"])

    def test_those_that_follow(self, tree: WritableUpper, lower: Path, tmp_path: Path) -> None:
        (tmp_path / "upper/srv/shared").mkdir(parents=True)
        os.setxattr(tmp_path / "upper/srv", "system.posix_acl_access", ACL)
        tree.apply(operations()._replace(follow=["/srv", "/srv/shared"]))
        self.check(tmp_path, ["srv", "srv/shared"])

    def test_what_an_interrupted_run_left_is_no_obstacle(
        self, tree: WritableUpper, lower: Path, tmp_path: Path
    ) -> None:
        for folder in ("upper", "upper/srv"):
            (tmp_path / folder / files.TEMPORARY).mkdir(parents=True)
            (tmp_path / folder / files.TEMPORARY / "file").touch()
        tree.apply(operations(hide=["/srv/shared/bare/file"]))
        self.check(tmp_path, ["srv/shared", "srv/shared/bare"])

    def test_an_empty_one_goes_only_if_it_is_like_the_lower_s(
        self, tree: WritableUpper, lower: Path, tmp_path: Path
    ) -> None:
        for note in (b"mine", b"other"):
            tree.apply(operations(hide=["/srv/shared/bare/file"]))
            os.setxattr(tmp_path / "upper/srv/shared", "user.note", note)
            tree.apply(operations(show=["/srv/shared/bare/file"]))
            assert (tmp_path / "upper/srv/shared").exists() == (note == b"other")

    def test_no_link_in_the_place_of_one_is_followed(self, tree: WritableUpper, lower: Path, tmp_path: Path) -> None:
        before = attributes(tmp_path / "outside")
        for name in ("srv", files.TEMPORARY):
            (tmp_path / "upper" / name).symlink_to(tmp_path / "outside")
        tree.apply(operations(hide=["/srv/shared/bare/file"])._replace(follow=["/srv"], uncover=["/srv"]))
        assert attributes(tmp_path / "outside") == before
        assert os.listdir(tmp_path / "outside") == ["file"]
