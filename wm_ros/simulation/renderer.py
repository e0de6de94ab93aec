# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw a simulated camera off screen. A camera belongs to the thread that made it."""

import atexit
import os
from abc import ABC, abstractmethod
from functools import cache
from types import TracebackType
from typing import Any, Self

import mujoco
import numpy as np
from mujoco import gl_context
from numpy.typing import NDArray

from wm_ros.errors import SimulationError
from wm_ros.simulation.perturbation import NOTHING, Perturbation, perturb_image, perturb_scene
from wm_ros.simulation.scene import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX

# Of a scene with the arm, three objects and what MuJoCo adds to them.
_MAX_GEOMS = 1000


class _Closing(ABC):
    """What is closed at the end of a ``with``."""

    @abstractmethod
    def close(self) -> None:
        """Free what it holds."""

    def __enter__(self) -> Self:
        """Return the camera itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the camera."""
        self.close()


class Camera(_Closing):
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
            raise _cannot_draw(error) from error

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


class BriefCamera(_Closing):
    """
    A camera for a few pictures, of the size of the model's off-screen buffer.

    A drawing context takes as long to open as five pictures to draw, because it compiles its
    shaders. Here all models of a process share one, one after the other; pictures are those of
    ``Camera``.
    """

    _is_open = False

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        """
        Load a model into the process's drawing context.

        :raises SimulationError: if the machine cannot draw off screen, or if another is open: two
            models in one context light each other.
        """
        if BriefCamera._is_open:
            raise SimulationError('a brief camera is open already; close it first, or use Camera, '
                                  'which has a drawing context of its own')
        size = model.vis.global_
        try:
            self._shared = _shared_context(size.offwidth, size.offheight)
            self._shared.make_current()
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150.value)
        except Exception as error:  # EGL bindings raise several unrelated types
            raise _cannot_draw(error) from error
        BriefCamera._is_open = True
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._rect = mujoco.MjrRect(0, 0, size.offwidth, size.offheight)
        self._model, self._option = model, mujoco.MjvOption()
        self._scene = mujoco.MjvScene(model, _MAX_GEOMS)
        self._view = mujoco.MjvCamera()
        self._view.type, self._view.fixedcamid = (
            mujoco.mjtCamera.mjCAMERA_FIXED.value, model.camera(name).id)

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """Return what the camera sees, RGB uint8 (h, w, 3)."""
        # Another camera of this thread may have drawn since.
        self._shared.make_current()
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._view,
                               mujoco.mjtCatBit.mjCAT_ALL.value, self._scene)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        picture = np.empty((self._rect.height, self._rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(picture, None, self._rect, self._context)
        return picture[::-1]

    def close(self) -> None:
        """Free what the model took."""
        self._shared.make_current()
        self._context.free()
        BriefCamera._is_open = False


@cache
def _shared_context(width_px: int, height_px: int) -> Any:
    """Open the process's drawing context."""
    context = gl_context.GLContext(width_px, height_px)
    # Later its bindings are gone and it could not be freed.
    atexit.register(context.free)
    return context


def _cannot_draw(error: Exception) -> SimulationError:
    return SimulationError(
        f'no off-screen drawing with MUJOCO_GL={os.environ.get("MUJOCO_GL")!r}: {error}; '
        'install the system libraries libegl1 and libgl1-mesa-dri')
