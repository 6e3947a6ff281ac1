# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an overlay: questions to an upper, and operations on it."""
