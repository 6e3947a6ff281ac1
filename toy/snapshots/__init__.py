# SPDX-License-Identifier: GPL-2.0-or-later
"""Entering a snapshot of the root that is not the running one."""
