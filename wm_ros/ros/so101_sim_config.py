# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of so101_sim."""

from dataclasses import dataclass

from wm_ros.config import check_settings, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class So101SimConfig:
    """
    Settings of the simulated robot; each field says its meaning in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    seed: int = setting(
        0, range=(0, 2**53), tunable=True,
        help='decides scene and starting pose; takes effect at ~/reset')
    camera_rate_hz: float = setting(
        20.0, unit='Hz', range=(0.1, 60.0), tunable=True, help='pictures per second')
    camera_frame_id: str = setting(
        'camera_optical_frame', required=True, help='frame of the fixed camera')
    enable_wrist_camera: bool = setting(False, help='publish a second camera on the wrist')
    wrist_camera_frame_id: str = setting(
        'wrist_camera_optical_frame', required=True, help='frame of the wrist camera')
    jpeg_quality: int = setting(
        90, range=(1, 100), tunable=True, help='quality of the compressed pictures')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)
