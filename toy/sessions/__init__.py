# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions: one command each in a machine that is up, with the caller's terminal, signals, environment and status."""
