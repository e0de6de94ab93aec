# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The demo: the same seeded commands without and with the gate, and what came of them.

No ROS in here: the nodes, and the conductor that leads them, are processes of their own.
"""
