# SPDX-License-Identifier: GPL-2.0-or-later
"""What a launch goes through, and all that one with nothing to do imports, but for the modules beside this folder."""
