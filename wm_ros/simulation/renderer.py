# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw a simulated camera off screen. A camera belongs to the thread that made it."""

import os
from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import SimulationError
from wm_ros.simulation.perturbation import NOTHING, Perturbation, perturb_image, perturb_scene
from wm_ros.simulation.scene import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX


class Camera:
    """A camera of the scene; close it before the interpreter ends."""

    def __init__(self, model: mujoco.MjModel, name: str, *, width_px: int = IMAGE_WIDTH_PX,
                 height_px: int = IMAGE_HEIGHT_PX) -> None:
        """
        Open a drawing context.

        :param width_px: of the picture; the model's off-screen buffer must be as large.
        :param height_px: the same.
        :raises SimulationError: if the machine cannot draw off screen.
        """
        self._name = name
        try:
            self._renderer = mujoco.Renderer(model, height_px, width_px)
        except Exception as error:  # EGL bindings raise several unrelated types
            raise SimulationError(
                f'no off-screen drawing with MUJOCO_GL={os.environ.get("MUJOCO_GL")!r}: {error}; '
                'install the system libraries libegl1 and libgl1-mesa-dri') from error

    def render(self, data: mujoco.MjData, perturbation: Perturbation = NOTHING
               ) -> NDArray[np.uint8]:
        """
        Return what the camera sees, RGB uint8 (h, w, 3).

        :param perturbation: what is wrong with this picture; the next one starts afresh.
        """
        self._renderer.update_scene(data, self._name)
        perturb_scene(self._renderer.scene, perturbation)
        return perturb_image(self._renderer.render(), perturbation)

    def close(self) -> None:
        """Free the drawing context."""
        self._renderer.close()

    def __enter__(self) -> 'Camera':
        """Return the camera itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the camera."""
        self.close()
