# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds with a stated guarantee."""
