# SPDX-License-Identifier: GPL-2.0-or-later
"""dump and merge are each other's inverse, on real databases and on awkward ones, and lose nothing on bad input."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from awkward import blobs, headers
from backends import KEYS_ARE_PACKAGES

from toy.database.merge import Builder
from toy.database.rpmdb import Database
from toy.errors import DamagedHeader, ToyError
from toy.headers.dump import Dumped
from toy.headers.dump import dump as dump_database
from toy.headers.headerset import DIRECTORY, HeaderSet

Damage = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root for a header set."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def dump(database: Path, root: Path, *, everything: bool = True) -> Dumped:
    with Database.open(database) as opened, HeaderSet.open(root, create=True) as header_set:
        return dump_database(opened, header_set, everything=everything)


def merge(root: Path, path: Path) -> None:
    def new() -> Path:
        path.mkdir()
        return path

    with HeaderSet.open(root) as header_set, Builder(new) as builder:
        builder.merge(dict.fromkeys(header_set.list().files, header_set))


def header_files(root: Path) -> list[Path]:
    return sorted((root / DIRECTORY).glob("*.hdr"))


def state(root: Path) -> dict[str, tuple[int, int, int]]:
    """What a write would change: inode and times of every file and of the directory."""
    paths = [root / DIRECTORY, *(root / DIRECTORY).iterdir()]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in paths}


def erase(database: Path, *packages: str) -> None:
    subprocess.run(
        ["rpm", "--dbpath", database, "--erase", "--justdb", "--nodeps", "--noscripts", *packages], check=True
    )


def test_dump_then_merge_is_the_identity(database: Path, root: Path, tmp_path: Path) -> None:
    dump(database, root)
    merge(root, tmp_path / "merged")
    assert blobs(tmp_path / "merged") == blobs(database)
    # And once more: a set made from what was merged has the same files.
    (tmp_path / "again").mkdir()
    dump(tmp_path / "merged", tmp_path / "again")
    assert [path.name for path in header_files(tmp_path / "again")] == [path.name for path in header_files(root)]


def test_a_set_restores_a_database_by_hand(database: Path, root: Path, tmp_path: Path) -> None:
    dump(database, root)
    subprocess.run(
        ["sh", "-c", 'cat *.hdr | rpmdb --dbpath "$1" --importdb', "sh", tmp_path / "restored"],
        cwd=root / DIRECTORY,
        check=True,
    )
    assert blobs(tmp_path / "restored") == blobs(database)


def test_one_file_per_header(database: Path, root: Path) -> None:
    done = dump(database, root)
    assert len(header_files(root)) == len(headers(database)) == len(done.added)
    assert (done.removed, done.mended) == ([], [])


def test_an_awkward_database_is_awkward(awkward_database: Path) -> None:
    nevras = [nevra for _, nevra in headers(awkward_database)]
    assert nevras.count("multi-1-1.noarch") == 2
    assert any(nevra.startswith("gpg-pubkey-") for nevra in nevras) == KEYS_ARE_PACKAGES
    assert "epoch-7:1-1.noarch" in nevras
    unbuildable = {"per%cent-1-1.noarch", "../up-1-1.noarch", "bra{ce}-1-1.noarch"}
    assert unbuildable <= set(nevras)


@pytest.mark.parametrize("everything", [True, False])
def test_a_second_dump_writes_nothing(database: Path, root: Path, everything: bool) -> None:
    dump(database, root)
    before = state(root)
    assert dump(database, root, everything=everything) == ([], [], [])
    assert state(root) == before


@pytest.mark.parametrize("everything", [True, False])
def test_the_files_of_erased_packages_go_and_no_other_is_touched(
    awkward_database: Path, tmp_path: Path, everything: bool
) -> None:
    database, root = Path(shutil.copytree(awkward_database, tmp_path / "db")), tmp_path / "root"
    root.mkdir()
    dump(database, root)
    before = state(root)
    erase(database, "multi-2-1", "epoch")
    done = dump(database, root, everything=everything)
    assert [file.rsplit(".", 2)[0] for file in done.removed] == ["epoch-7:1-1.noarch", "multi-2-1.noarch"]
    assert done.added == []
    after = state(root)
    changed = {DIRECTORY.name, ".stamp"}
    assert before.keys() - after.keys() == set(done.removed)
    assert {name: after[name] for name in after.keys() - changed} == {
        name: before[name] for name in after.keys() - changed
    }


@pytest.mark.parametrize("everything", [True, False])
def test_a_renumbered_database_is_noticed(awkward_database: Path, tmp_path: Path, everything: bool) -> None:
    database, root = Path(shutil.copytree(awkward_database, tmp_path / "db")), tmp_path / "root"
    root.mkdir()
    dump(database, root)
    erase(database, "system", "empty")
    subprocess.run(["rpmdb", "--dbpath", database, "--rebuilddb"], check=True)
    dump(database, root, everything=everything)
    assert len(header_files(root)) == len(headers(database))
    merge(root, tmp_path / "merged")
    assert blobs(tmp_path / "merged") == blobs(database)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xffgarbage" * 100)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def other_header(path: Path) -> None:
    path.write_bytes(next(other for other in path.parent.glob("*.hdr") if other != path).read_bytes())


def symlink(path: Path) -> None:
    path.rename(path.with_name(".aside"))
    path.symlink_to(".aside")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [truncate, empty, garbage, flip, other_header, fifo]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_written_anew(awkward_database: Path, root: Path, tmp_path: Path, damage: Damage) -> None:
    dump(awkward_database, root)
    victim = header_files(root)[3]
    damage(victim)
    assert dump(awkward_database, root).mended == [victim.name]
    merge(root, tmp_path / "merged")
    assert blobs(tmp_path / "merged") == blobs(awkward_database)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_merged(awkward_database: Path, root: Path, tmp_path: Path, damage: Damage) -> None:
    dump(awkward_database, root)
    victim = header_files(root)[3]
    damage(victim)
    with pytest.raises(DamagedHeader, match=victim.name.split(".")[0]):
        merge(root, tmp_path / "merged")


def test_a_header_under_another_name_is_not_merged(awkward_database: Path, root: Path, tmp_path: Path) -> None:
    dump(awkward_database, root)
    victim = next((root / DIRECTORY).glob("empty-*"))
    renamed = victim.rename(victim.with_name(victim.name.replace("empty", "other")))
    with pytest.raises(DamagedHeader) as raised:
        merge(root, tmp_path / "merged")
    assert renamed.name in str(raised.value)


def test_no_symbolic_link_is_followed(awkward_database: Path, root: Path, tmp_path: Path) -> None:
    (root / "usr/lib").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root / "usr/lib/sysimage").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ToyError, match="sysimage is not a directory"):
        dump(awkward_database, root)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_emptied_database_empties_no_set(awkward_database: Path, root: Path, tmp_path: Path) -> None:
    dump(awkward_database, root)
    before = state(root)
    subprocess.run(["rpmdb", "--dbpath", tmp_path / "other", "--initdb"], check=True)
    for everything in (True, False):
        with pytest.raises(ToyError, match="is empty"):
            dump(tmp_path / "other", root, everything=everything)
    assert state(root) == before


def corrupt(database: Path) -> None:
    for path in database.iterdir():
        path.write_bytes(b"not a database" * 1000)


@pytest.mark.parametrize("break_it", [corrupt, lambda path: [file.unlink() for file in path.iterdir()], shutil.rmtree])
def test_an_unreadable_database_changes_no_set(
    awkward_database: Path, root: Path, tmp_path: Path, break_it: Damage
) -> None:
    database = Path(shutil.copytree(awkward_database, tmp_path / "db"))
    dump(database, root)
    before = state(root)
    break_it(database)
    for everything in (True, False):
        with pytest.raises(ToyError, match="rpm database"):
            dump(database, root, everything=everything)
    assert state(root) == before
    assert not database.exists() or all(path.stat().st_size for path in database.iterdir())
