# SPDX-License-Identifier: GPL-2.0-or-later
"""The running system that a machine lies over: where toy runs, what is mounted, whose homes are shared."""
