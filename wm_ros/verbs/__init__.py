# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The verbs of the command line, a module each.

Each module has ``add_parser(verbs)`` and one function for each of its verbs. Heavy libraries are
imported inside those functions, so that every verb works without what it does not need.
"""
