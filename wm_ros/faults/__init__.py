# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may go wrong around a robot, what the package promises then, and how it is judged."""
