# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an overlay: what is in an upper, and what can be done to it."""
