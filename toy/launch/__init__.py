# SPDX-License-Identifier: GPL-2.0-or-later
"""A launch: all that happens between the lock and the unlock of a machine.

A launch with nothing to do imports all of this folder but `cold` and `settings`; who joins a machine, `door` alone.
"""
