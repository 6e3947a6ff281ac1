# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows the host beside packages: accounts and their numbers, homes, zypper's files, and /var."""
