# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Architectures of others, for timing alone.

Each is written here from the sizes that its authors published, runs with random weights and
predicts nothing of use. Where a published part is left out, the stand-in is the faster for it.
"""
