# SPDX-License-Identifier: GPL-2.0-or-later
"""Toy is killed, or its disk fails it, at steps of all that it does; the next launch must mend what is half done.

`make torture` tries each step; a few are tried otherwise, and TOY_SEED says which: 0 is a new one each time. TOY_STEP
names a single one, SCENARIO:FAULT:WHOSE:NUMBER. What fails is appended to TOY_REPORT at once.
"""

import json
import os
import platform
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Row, reason, title
from host import Host
from scenarios import SCENARIOS
from stepper import EIO, ENOSPC, INSIDE, INT, KILL, KILL_ALL, TERM, TOY
from torture import Torture

IS_FULL = os.environ.get("TOY_TORTURE") == "full"
SEED = int(os.environ.get("TOY_SEED", "1"))
if SEED == 0:  # a new one, the same for all workers
    SEED = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1, 10**6)
ONE = os.environ.get("TOY_STEP", "")

EACH = {
    (KILL, TOY): 1,
    (KILL_ALL, TOY): 4,
    (ENOSPC, TOY): 4,
    (EIO, TOY): 12,
    (INT, TOY): 24,
    (TERM, TOY): 24,
    (KILL, INSIDE): 24,
    (KILL_ALL, INSIDE): 48,
}
"""In the full form, one of how many steps is tried; TOY_EACH makes it fewer."""

FEW = {(KILL, TOY): 2, (KILL_ALL, TOY): 1, (ENOSPC, TOY): 1, (INT, TOY): 1, (KILL, INSIDE): 1}
"""How many steps are tried otherwise."""

FEWER = int(os.environ.get("TOY_EACH") or 1)
SHARES = max(1, 4 // FEWER) if IS_FULL else 1
REPORT = os.environ.get("TOY_REPORT", os.devnull)
INSIDE_ONLY = ("rpm", "zypper")
MOST_OF_ALL = "pwrite64"
"""What librpm writes into a database, in hundreds of steps: an eighth of these is tried."""

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the stepper knows the calls of x86-64 alone")


def chosen(torture: Torture, scenario: str, share: int) -> list[tuple[str, str, int]]:
    """Return what harm is done, at which steps."""
    rng = random.Random(f"{SEED} {scenario}")
    harm = []
    for (fault, whose), each in EACH.items():
        numbers = range(1, len(torture.steps(fault, whose)) + 1)
        if scenario in INSIDE_ONLY and whose == TOY:
            numbers = numbers[:: 24 if IS_FULL else 1000]
        if IS_FULL:
            each *= FEWER
            some = [
                number
                for number in numbers[rng.randrange(each) :: each]
                if torture.steps(fault, whose)[number - 1].call != MOST_OF_ALL or rng.random() < 1 / 8
            ]
        else:
            some = rng.sample(numbers, min(FEW.get((fault, whose), 0), len(numbers)))
        harm += [(fault, whose, number) for number in some]
    return harm[share::SHARES]


@pytest.mark.timeout(7200 if IS_FULL or ONE else 300)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("scenario", SCENARIOS if IS_FULL or ONE else [name for name in SCENARIOS if name != "zypper"])
def test_whatever_is_half_done_is_mended(
    plain: Host,
    scenario: str,
    share: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """A launch that was disturbed leaves nothing that the next one does not mend."""
    if ONE and not (ONE.startswith(f"{scenario}:") and share == 0):
        return
    torture = Torture(plain, SCENARIOS[scenario], tmp_path)
    harm = chosen(torture, scenario, share)
    if ONE:
        _, fault, whose, step = ONE.split(":")
        harm = [(fault, whose, int(step))]
    rows: dict[str, Row] = {}
    failed = []
    for fault, whose, number in harm:
        outcome = torture.attempt(fault, whose, number)
        if outcome.step is None:
            continue
        row = rows.setdefault(title(scenario, fault, whose), Row())
        row.tried += 1
        row.mended.update(outcome.mended)
        reasons = {wrong: reason(scenario, fault, outcome, wrong) for wrong in outcome.wrong}
        unknown = [wrong for wrong, known in reasons.items() if known is None]
        if not outcome.wrong:
            row.survived += 1
        elif not unknown:
            row.known.update(set(filter(None, reasons.values())))
            row.failed += 1
        else:
            again = f"TOY_STEP='{scenario}:{fault}:{whose}:{number}'"
            failed.append("\n    ".join([f"{again}: {fault} at {outcome.step}", *unknown]))
            with open(REPORT, "a") as file:
                print(failed[-1], file=file)
    record_property("torture seed", SEED)
    record_property("torture", json.dumps({name: vars(row) for name, row in rows.items()}))
    assert not failed, f"{len(failed)} of {len(harm)} (seed {SEED}):\n" + "\n".join(failed)
