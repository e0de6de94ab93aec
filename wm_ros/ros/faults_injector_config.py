# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of fault_injector."""

from dataclasses import dataclass

from wm_ros.config import check_settings, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultInjectorConfig:
    """
    Settings of fault_injector; each field says its meaning, unit and range in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    fault: str = setting(
        '', required=True, help="name of the fault, as in 'wm-ros faults list'")
    after: float = setting(3.0, unit='s', range=(0.0, 3600.0),
                           help='from when the shadow gate is ready to when the fault begins')
    duration: float = setting(5.0, unit='s', range=(0.1, 3600.0), help='of the fault')
    camera_topic: str = setting('/camera/image_raw', required=True, help='raw camera topic')
    joint_states_topic: str = setting('/joint_states', required=True, help='measured joints')
    command_topic: str = setting(
        '/wm_gate/joint_trajectory', required=True, help='where the policy sends its commands')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)
