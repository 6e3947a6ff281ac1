# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, directories, mounts and locks, as root must handle them where somebody else may have arranged the tree."""
