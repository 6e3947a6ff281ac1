# SPDX-License-Identifier: GPL-2.0-or-later
"""Databases of real distributions, if there are any on this machine."""

import os
from pathlib import Path

import image

RPMDBS = Path(os.environ.get("TOY_RPMDBS", image.CHECKOUT.parent / "shared" / "rpmdbs"))
"""Where databases of real distributions lie, each in a directory of its own."""

REAL_DATABASES = sorted(path for path in RPMDBS.glob("*") if path.is_dir())
