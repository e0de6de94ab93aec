# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated SO-101 arm in MuJoCo: the robot that this package is tried on by default."""

import os

# MuJoCo chooses its way to draw at its first import; without a display that must be EGL.
if not os.environ.get('DISPLAY'):
    os.environ.setdefault('MUJOCO_GL', 'egl')
