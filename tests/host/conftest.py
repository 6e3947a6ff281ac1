# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and databases for tests."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import awkward
import image
import pytest
from databases import REAL_DATABASES, RPMDBS
from host import Host
from microos import Disk, MicroOS
from somebody import Enter, Somebody
from truth import BOTH, OVERLAY, are_the_same

AGREE = rf"""
{BOTH}
echo --
rpm -Va --noconfig
echo --
rpm -qa --qf '[%{{FILESTATES:fstate}} %{{FILENAMES}}\n]' | sed -n 's/^normal //p' | while read -r path; do
    [ -e "$path" ] || [ -L "$path" ] || echo "$path"
done
"""


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


@pytest.fixture
def database_and_files_agree(host: Host) -> Iterator[None]:
    """Whatever a test does: at its end, the overlay's database, set and files agree."""
    yield
    agreeing, complaints, missing = host.run(*OVERLAY, "sh", "-c", AGREE).stdout.split("--\n")
    assert are_the_same(agreeing)
    # rpm lists a file that is another package's as well, but as neither missing nor changed.
    assert [line for line in complaints.splitlines() if not line.startswith(".........")] == []
    assert missing == ""


@pytest.fixture
def victim(host: Host) -> Host:
    """A host with a file that nobody is to touch, and a machine with something of its own."""
    host.write("/CANARY", "precious")
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    return host


@pytest.fixture
def enter(host: Host) -> Iterator[Enter]:
    """Let somebody into a machine of the host's."""
    with contextlib.ExitStack() as stack:

        def enter(*command: str) -> Somebody:
            somebody = stack.enter_context(Somebody(host, *command))
            somebody.does("true")
            return somebody

        yield enter
