# SPDX-License-Identifier: GPL-2.0-or-later
"""toy(8) says what `toy --help` does, and is as mdoc(7) wants it."""

import re
import subprocess
from pathlib import Path

import pytest

from toy import options

MANUAL = Path(__file__).resolve().parents[2] / "toy/toy.8"
VERBS = ("status", "diff", "list", "dump", "init")


def said_by_help() -> str:
    texts = [options.parse([*verb, "--help"])[0].text for verb in ([], *([verb] for verb in VERBS))]
    return "\n".join(line for text in texts for line in text)


def test_every_option_is_in_both() -> None:
    source = MANUAL.read_text().replace("\\-", "-")
    in_manual = {f"-{name}" for name in re.findall(r"\bFl (-?\w[\w-]*)", source)}
    assert in_manual == set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", said_by_help()))


def test_every_verb_is_in_both() -> None:
    described = set(re.findall(r"^\.It Cm (\w+)", MANUAL.read_text(), re.MULTILINE))
    (listed,) = re.findall(r"^verbs:\n((?: .*\n)+)", said_by_help(), re.MULTILINE)
    assert described == set(re.findall(r"^    (\w+)  ", listed, re.MULTILINE)) == set(VERBS)


def test_it_is_as_mdoc_wants_it() -> None:
    done = subprocess.run(["mandoc", "-T", "lint", MANUAL], capture_output=True, text=True)
    # Which other manuals there are is the machine's matter.
    assert [line for line in done.stdout.splitlines() if "referenced manual not found" not in line] == []


@pytest.mark.parametrize("status", ["not entered yet", "current", "behind", "in use", "without its rpm database"])
def test_every_state_is_in_it(status: str) -> None:
    assert f".Dq {status}" in MANUAL.read_text()
