# SPDX-License-Identifier: GPL-2.0-or-later
"""Header files and header sets: one file for each installed package, and `dump`, which makes them match a database."""
