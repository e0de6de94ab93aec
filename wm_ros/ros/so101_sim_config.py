# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of so101_sim."""

import math
from dataclasses import dataclass

from wm_ros.config import check_settings, setting
from wm_ros.simulation.camera_move import CameraMove
from wm_ros.simulation.perturbation import MAX_LIGHT, Perturbation


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
    camera_offset_m: tuple[float, ...] = setting(
        (0.0, 0.0, 0.0), unit='m', range=(-0.5, 0.5), tunable=True,
        help='how far the fixed camera has been knocked forward, left and up')
    camera_turn_deg: tuple[float, ...] = setting(
        (0.0, 0.0, 0.0), unit='degrees', range=(-45.0, 45.0), tunable=True,
        help='how the fixed camera has been turned: rotation vector about its right, up and '
        'backward axis')
    swap_red_blue: bool = setting(
        False, tunable=True, help='send blue as red, as a driver does that says rgb8 for bgr8')
    light_factor: float = setting(
        1.0, range=(0.0, MAX_LIGHT), tunable=True, help='factor on the light of the scene')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)
        for name in ('camera_offset_m', 'camera_turn_deg'):
            if len(getattr(self, name)) != 3:
                raise ValueError(f'{name} is {list(getattr(self, name))}; expected three numbers')

    def perturbation(self, *, is_fixed_camera: bool) -> Perturbation:
        """Return what is wrong with a camera's pictures; a knock meets the fixed camera only."""
        turn = tuple(math.radians(angle) for angle in self.camera_turn_deg)
        move = CameraMove(offset_m=_triple(self.camera_offset_m), turn_rad=_triple(turn))
        return Perturbation(camera=move if is_fixed_camera else CameraMove(),
                            light=self.light_factor, swap_red_blue=self.swap_red_blue)


def _triple(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
