# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures; and the report of what cannot be tried on this machine, which is said at the top and never just skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import awkward
import image
import pytest
import rpm
from backends import BACKENDS, FILES, HAS_OPENPGP, KEYRINGS, ZYPPERS
from host import Host
from microos import Disk, MicroOS

RPMDBS = Path(os.environ.get("TOY_RPMDBS", image.CHECKOUT.parent / "shared" / "rpmdbs"))
"""Where databases of real distributions lie, each in a directory of its own."""

REAL_DATABASES = sorted(path for path in RPMDBS.glob("*") if path.is_dir())


def pytest_report_header() -> str:
    lacking = ", ".join(sorted(FILES.keys() - set(BACKENDS)))
    backends = ", ".join(BACKENDS) + (lacking and f"; NOT RUN with {lacking}, which this rpm lacks: make test-ndb")
    hosts = ", ".join(ZYPPERS) + (", the others NOT RUN: zypper has another librpm" if ZYPPERS != BACKENDS else "")
    keys = f"in {', '.join(KEYRINGS)}" if HAS_OPENPGP else "NOT RUN, this rpm was built without OpenPGP"
    real = ", ".join(path.name for path in REAL_DATABASES)
    real = real or f"NOT RUN, there are none in {RPMDBS}; set TOY_RPMDBS"
    return f"backends: {backends}\nbackends of hosts: {hosts}\nkeys: {keys}\nreal databases: {real}"


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: some tests do nothing but wait."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried where, as tests/README.md has it."""
    backend = rpm.expandMacro("%{_db_backend}")
    outcomes = ("passed", "failed")
    done = [(report.nodeid, outcome) for outcome in outcomes for report in terminalreporter.getreports(outcome)]
    for kind, is_microos in (("overlay over this machine's root", False), ("like MicroOS: snapshots on btrfs", True)):
        of_kind = [outcome for nodeid, outcome in done if ("microos" in nodeid) == is_microos]
        result = f"{of_kind.count('passed')} passed, {of_kind.count('failed')} failed"
        terminalreporter.write_line(f"| {rpm.__version__}, {backend} | {kind} | {result} |")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a host with toy on it is like."""
    return image.make(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def disk(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """What hosts like MicroOS lie on."""
    with Disk(tmp_path_factory.mktemp("disk"), like=template) as disk:
        yield disk


@pytest.fixture
def microos(disk: Disk, tmp_path: Path) -> Iterator[MicroOS]:
    """A host of the test's own as openSUSE MicroOS is one, with toy on it."""
    with MicroOS(disk, tmp_path / "host") as host:
        yield host


@pytest.fixture
def plain(template: Path, tmp_path: Path) -> Iterator[Host]:
    """A host of the test's own, with toy on it."""
    with Host(tmp_path / "host", like=template) as host:
        yield host


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so on every kind of host."""
    marked = metafunc.definition.get_closest_marker
    if "host" in metafunc.fixturenames and marked("everywhere") and not marked("only_plain"):
        metafunc.parametrize("host", ["plain", "microos"], indirect=True)


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Host:
    """A host, plain unless the test is parametrized otherwise."""
    host: Host = request.getfixturevalue(getattr(request, "param", "plain"))
    return host


@pytest.fixture(scope="session")
def awkward_database(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of awkward headers; only to be read."""
    return awkward.make(template, tmp_path_factory.mktemp("awkward"))


@pytest.fixture(params=["awkward", *(path.name for path in REAL_DATABASES)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a database: of awkward headers, and of each real distribution's."""
    source: Path = request.getfixturevalue("awkward_database") if request.param == "awkward" else RPMDBS / request.param
    return Path(shutil.copytree(source, tmp_path / "database", copy_function=shutil.copyfile))
