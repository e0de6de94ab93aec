# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The action-conditioned world model.

``config`` is free of torch, so that a robot can run the exported model without it.
"""
