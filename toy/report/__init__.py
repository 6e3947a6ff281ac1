# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs `status` and `diff`: what they find out, and what they print."""
