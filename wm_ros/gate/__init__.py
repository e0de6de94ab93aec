# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate between a policy and its controller: pure logic, no ROS, ``now`` is an argument.

Nothing here may import torch, onnxruntime or tensorrt: a fault in an engine must not take the
gate with it.
"""
