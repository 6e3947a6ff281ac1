# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures; and the report of what cannot be tried on this machine, which is said at the top and never just skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import awkward
import image
import pytest
from backends import BACKENDS, FILES
from host import Host

RPMDBS = Path(os.environ.get("TOY_RPMDBS", image.CHECKOUT.parent / "shared" / "rpmdbs"))
"""Where databases of real distributions lie, each in a directory of its own."""

REAL_DATABASES = sorted(path for path in RPMDBS.glob("*") if path.is_dir())


def pytest_report_header() -> str:
    lacking = ", ".join(sorted(FILES.keys() - set(BACKENDS)))
    backends = ", ".join(BACKENDS) + (lacking and f"; NOT RUN with {lacking}, which this rpm lacks: make test-ndb")
    real = ", ".join(path.name for path in REAL_DATABASES)
    real = real or f"NOT RUN, there are none in {RPMDBS}; set TOY_RPMDBS"
    return f"backends: {backends}\nreal databases: {real}"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a host with toy on it is like."""
    return image.make(tmp_path_factory.mktemp("image"))


@pytest.fixture
def host(template: Path, tmp_path: Path) -> Iterator[Host]:
    """A host of the test's own, with toy on it."""
    with Host(tmp_path / "host", like=template) as host:
        yield host


@pytest.fixture(scope="session")
def awkward_database(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of awkward headers; only to be read."""
    return awkward.make(template, tmp_path_factory.mktemp("awkward"))


@pytest.fixture(params=["awkward", *(path.name for path in REAL_DATABASES)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a database: of awkward headers, and of each real distribution's."""
    source: Path = request.getfixturevalue("awkward_database") if request.param == "awkward" else RPMDBS / request.param
    return Path(shutil.copytree(source, tmp_path / "database", copy_function=shutil.copyfile))
