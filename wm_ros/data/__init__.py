# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes: how recordings are stored, read back and cut into training windows."""
