# SPDX-License-Identifier: GPL-2.0-or-later
"""librpm and rpm databases: reading them, copying them, and `merge`, which makes one match a header set."""
