# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw a simulated camera off screen. A camera belongs to the thread that made it."""

import os
from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import SimulationError
from wm_ros.simulation.scene import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX


class Camera:
    """A camera of the scene; close it before the interpreter ends."""

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        """
        Open a drawing context.

        :raises SimulationError: if the machine cannot draw off screen.
        """
        self._name = name
        try:
            self._renderer = mujoco.Renderer(model, IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX)
        except Exception as error:  # EGL bindings raise several unrelated types
            raise SimulationError(
                f'no off-screen drawing with MUJOCO_GL={os.environ.get("MUJOCO_GL")!r}: {error}; '
                'install the system libraries libegl1 and libgl1-mesa-dri') from error

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """Return what the camera sees, RGB uint8 (480, 640, 3)."""
        self._renderer.update_scene(data, self._name)
        return self._renderer.render()

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
