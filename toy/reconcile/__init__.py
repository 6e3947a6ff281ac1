# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a machine once its host changed: it is decided, recorded, and carried out."""
