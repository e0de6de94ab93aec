# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What may go wrong with a camera in use: knocked, wrongly decoded, in a dimmer room.

The main rule: only the picture changes. The model, its state and the physics are never touched,
so that a perturbation can come and go while another thread steps the same simulation.
"""

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.camera_move import CameraMove

MAX_LIGHT = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Perturbation:
    """
    How a picture differs from the one that the scene alone would give; the default: not at all.

    :param camera: how the camera has moved; the offset is along the axes of the world.
    :param light: factor on every light, 0 to 4; the background, which is lit from elsewhere,
        stays.
    :param swap_red_blue: as a driver does that says rgb8 and sends bgr8.
    :raises ValueError: if ``light`` is outside its range.
    """

    camera: CameraMove = field(default_factory=CameraMove)
    light: float = 1.0
    swap_red_blue: bool = False

    def __post_init__(self) -> None:
        """Check the factor; the camera checks itself."""
        if not 0.0 <= self.light <= MAX_LIGHT:
            raise ValueError(f'light is {self.light!r}; allowed is 0 to {MAX_LIGHT}')


NOTHING = Perturbation()


def perturb_scene(scene: mujoco.MjvScene, perturbation: Perturbation) -> None:
    """
    Move the camera and change the light of a scene that is about to be drawn.

    :param scene: as ``mjv_updateScene`` has just filled it; changed in place.
    """
    if perturbation.camera != CameraMove():
        for eye in scene.camera:
            up = np.array(eye.up, np.float64)
            backward = -np.array(eye.forward, np.float64)
            axes = np.stack([np.cross(up, backward), up, backward], axis=1)
            position, quat = perturbation.camera.apply(eye.pos, _to_quat(axes))
            turned = _to_matrix(quat)
            eye.pos, eye.up, eye.forward = position, turned[:, 1], -turned[:, 2]
    if perturbation.light != 1.0:
        for light in scene.lights[:scene.nlight]:
            for part in (light.ambient, light.diffuse, light.specular):
                part *= perturbation.light


def perturb_image(image: NDArray[np.uint8], perturbation: Perturbation) -> NDArray[np.uint8]:
    """
    Return what a driver would publish of a picture.

    :param image: RGB uint8 (h, w, 3), not modified.
    :returns: the same object, or a copy with red and blue swapped.
    """
    return image[..., ::-1].copy() if perturbation.swap_red_blue else image


def _to_quat(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, matrix.ravel())
    return quat


def _to_matrix(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)
