# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that are confined, and the messages that they exchange with toy."""
