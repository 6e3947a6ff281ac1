# SPDX-License-Identifier: GPL-2.0-or-later
"""Linters and the type checker, as tests."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def run_tool(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(verb: list[str]) -> None:
    run_tool("ruff", *verb, ".")


@pytest.mark.parametrize(
    "patterns",
    [["toy/**/*.py"], ["zypp-plugin/toy"], ["tests/*.py", "tests/[!b]*/*.py"], ["tests/bench/*.py"]],
    ids=" ".join,
)
def test_mypy(patterns: list[str]) -> None:
    files = sorted(str(path) for pattern in patterns for path in CHECKOUT.glob(pattern))
    run_tool("mypy", "--strict", *files)
