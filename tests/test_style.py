# SPDX-License-Identifier: GPL-2.0-or-later
"""Linters and the type checker, as tests."""

import subprocess
import sys
from pathlib import Path

import pytest
from image import CHECKOUT


def run_tool(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(verb: list[str]) -> None:
    run_tool("ruff", *verb, ".")


@pytest.mark.parametrize("target", ["toy", "zypp-plugin/toy", "tests", "tests/bench"])
def test_mypy(target: str) -> None:
    path = CHECKOUT / target
    files = sorted(map(str, path.glob("*.py"))) if path.is_dir() else [target]
    run_tool("mypy", "--strict", *files)


def test_visible_top_level() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    visible = {Path(line).parts[0] for line in tracked.splitlines() if not line.startswith(".")}
    assert visible == {"zypp-plugin", "rpm-macros", "toy", "tests", "README.md", "LICENSE", "Makefile"}


def test_one_owner_of_each_system_resource() -> None:
    def users(*needles: str) -> set[str]:
        return {
            path.stem
            for path in (CHECKOUT / "toy").glob("*.py")
            if any(line.strip().startswith(needles) for line in path.read_text().splitlines())
        }

    assert users("import rpm", "from rpm ") == {"librpm"}
    assert users("import subprocess", "from subprocess ", "pid = os.posix_spawn") == {"run"}
