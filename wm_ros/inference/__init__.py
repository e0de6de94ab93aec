# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an observation and a command to a verdict, without ROS."""
