# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, directories, mounts and locks, as root must handle them in a tree that somebody else may have arranged."""
