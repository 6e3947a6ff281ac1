# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of what cannot be tried on this machine, which is said at the top and never just skipped."""

import os
import platform
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import rpm
from backends import BACKENDS, FILES, HAS_OPENPGP, KEYRINGS, ZYPPERS
from databases import REAL_DATABASES, RPMDBS
from faults import table

_HANDLERS: dict[signal.Signals, Any] = {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
}
_IN_MEMORY = "/dev/shm"
_ROOM = 6 << 30
"""Bytes that hosts take there at most, with some to spare: 3.1 GiB were seen with three workers."""


def pytest_configure() -> None:
    """Let hosts lie in memory, where to set one up takes a sixth of the processor's time, and commands get signals."""
    # In the background, a shell has them ignored, and so would all that is started here, toy among it.
    for number, handler in _HANDLERS.items():
        signal.signal(number, handler)
    if os.path.isdir(_IN_MEMORY) and shutil.disk_usage(_IN_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _IN_MEMORY)


def pytest_report_header() -> str:
    lacking = ", ".join(sorted(FILES.keys() - set(BACKENDS)))
    backends = ", ".join(BACKENDS) + (lacking and f"; NOT RUN with {lacking}, which this rpm lacks: make test-ndb")
    hosts = ", ".join(ZYPPERS) + (", the others NOT RUN: zypper has another librpm" if ZYPPERS != BACKENDS else "")
    keys = f"in {', '.join(KEYRINGS)}" if HAS_OPENPGP else "NOT RUN, this rpm was built without OpenPGP"
    real = ", ".join(path.name for path in REAL_DATABASES)
    real = real or f"NOT RUN, there are none in {RPMDBS}; set TOY_RPMDBS"
    has_groups = any(line.split()[2] == "cgroup2" for line in Path("/proc/mounts").read_text().splitlines())
    groups = "version 2" if has_groups else "NOT RUN with version 2, which this machine has not mounted"
    lines = [f"backends: {backends}", f"backends of hosts: {hosts}", f"keys: {keys}", f"real databases: {real}"]
    steps = "killed at each" if platform.machine() == "x86_64" else "NOT RUN, only known for x86-64"
    return "\n".join([*lines, f"control groups: {groups}", f"steps of toy: {steps}"])


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: some tests do nothing but wait."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried where, as tests/README.md has it."""
    counts: dict[str, dict[str, int]] = {}
    properties: list[tuple[str, object]] = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            of_kind = counts.setdefault(_kind(report.nodeid), {"passed": 0, "failed": 0})
            of_kind[outcome] += 1
            properties += report.user_properties
    for line in table(properties):
        terminalreporter.write_line(line)
    backend = rpm.expandMacro("%{_db_backend}")
    for kind, of_kind in sorted(counts.items()):
        result = f"{of_kind['passed']} passed, {of_kind['failed']} failed"
        terminalreporter.write_line(f"| {rpm.__version__}, {backend} | {kind} | {result} |")


def _kind(test: str) -> str:
    if test.startswith("unit/"):
        return "no host: rules, linters"
    return "like MicroOS: snapshots on btrfs" if "microos" in test else "overlay over this machine's root"
