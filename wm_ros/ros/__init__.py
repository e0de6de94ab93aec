# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes and converters: the only place that imports rclpy or message classes."""
