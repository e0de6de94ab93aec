# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of wm_visualizer."""

from dataclasses import dataclass

from wm_ros.config import check_settings, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class VisualizerConfig:
    """
    Settings of wm_visualizer; each field says its meaning, unit and range in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    camera_topic: str = setting(
        'camera/image_raw', help='raw topic of the camera; with compressed transport /compressed '
                                 'is appended')
    image_transport: str = setting('raw', choices=('raw', 'compressed'),
                                   help='Image or CompressedImage')
    idle_period: float = setting(0.5, unit='s', range=(0.05, 10.0),
                                 help='how often to look whether anybody watches')

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        check_settings(self)
