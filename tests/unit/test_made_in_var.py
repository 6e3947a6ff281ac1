# SPDX-License-Identifier: GPL-2.0-or-later
"""Which generated files in /var are older than the host's."""

import os
from pathlib import Path

import pytest

from toy.reconcile import made_in_var


def test_a_file_that_goes_meanwhile_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a machine is in use."""
    (tmp_path / "lib/ca-certificates").mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda _: ["gone"])
        assert made_in_var.outdated(tmp_path) == []
