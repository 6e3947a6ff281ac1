# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs that show something find out and print."""
