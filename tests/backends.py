# SPDX-License-Identifier: GPL-2.0-or-later
"""What kinds of databases the rpm that the tests run with can make."""

import subprocess
import tempfile
from pathlib import Path

FILES = {"sqlite": "rpmdb.sqlite", "ndb": "Packages.db"}
"""A file that each one makes."""


def _can_make(backend: str) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        command = ["rpm", "--define", f"_db_backend {backend}", "--dbpath", directory, "--initdb"]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        return (Path(directory) / FILES[backend]).exists()


BACKENDS = [backend for backend in FILES if _can_make(backend)]
