#!/usr/bin/python3 -BsSXutf8
# SPDX-License-Identifier: GPL-2.0-or-later
"""The `toy` command. /usr/bin/toy is a link to this file."""

import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

from toy.cli import main

if __name__ == "__main__":
    os._exit(main())  # there is nothing to clean up, and that alone takes Python 2 ms
