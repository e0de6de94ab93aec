# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The benchmark: how long everything takes, on this machine, in one run.

No ROS in here: what needs a graph is done by processes of their own (``wm_ros.ros.benchmark_*``),
which report figures as JSON.
"""
