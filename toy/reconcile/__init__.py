# SPDX-License-Identifier: GPL-2.0-or-later
"""Reconciliation: what becomes of a machine whose host changed is decided, recorded, and carried out."""
