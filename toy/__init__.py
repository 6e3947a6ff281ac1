# SPDX-License-Identifier: GPL-2.0-or-later
"""toy: a shell in a writable overlay over the running system, with an rpm database that tells the truth."""

__version__ = "0.1"
