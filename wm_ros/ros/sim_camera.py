# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Draw the simulation's cameras in one thread and hand the pictures on.

The main rule: a drawing context belongs to the thread that made it, so this thread alone opens,
uses and closes them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from wm_ros.ros.sim_physics import RealTimePhysics
from wm_ros.simulation.perturbation import NOTHING, Perturbation
from wm_ros.simulation.renderer import Camera
from wm_ros.simulation.robot import So101Simulation

_START_TIMEOUT_S = 60.0


class CameraThread:
    """
    Draw at a steady rate what the cameras see.

    :param physics: where the state comes from.
    :param outputs: for each camera of the model what to do with a picture, RGB uint8 (h, w, 3),
        and its stamp, ns; called in the drawing thread.
    :param is_wanted: asked before each drawing; False saves the work while nobody looks.
    :param rate_hz: asked before each drawing.
    :param now_ns: the clock of the stamps.
    :param perturbation: asked before each drawing what is wrong with that camera.
    """

    def __init__(self, physics: RealTimePhysics,
                 outputs: Mapping[str, Callable[[NDArray[np.uint8], int], None]], *,
                 is_wanted: Callable[[str], bool], rate_hz: Callable[[], float],
                 now_ns: Callable[[], int],
                 perturbation: Callable[[str], Perturbation] = lambda name: NOTHING) -> None:
        self._physics = physics
        self._outputs = outputs
        self._is_wanted = is_wanted
        self._rate_hz = rate_hz
        self._now_ns = now_ns
        self._perturbation = perturbation
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._cameras: dict[str, Camera] = {}
        self._durations: deque[float] = deque(maxlen=100)
        self._published: deque[float] = deque(maxlen=100)
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self.error: BaseException | None = None

    def start(self) -> None:
        """
        Open the cameras in their thread and begin to draw.

        :raises SimulationError: if the machine cannot draw off screen.
        """
        self._thread.start()
        self._ready.wait(_START_TIMEOUT_S)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Close the cameras and end the thread; safe to call twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    @property
    def draw_ms(self) -> float:
        """Mean time to draw one picture, ms; 0 before any."""
        durations = tuple(self._durations)
        return 1e3 * sum(durations) / len(durations) if durations else 0.0

    @property
    def measured_rate_hz(self) -> float:
        """Rate of the last pictures, Hz; 0 while nobody looks."""
        published = tuple(self._published)
        if len(published) < 2 or time.monotonic() - published[-1] > 1.0:
            return 0.0
        return (len(published) - 1) / (published[-1] - published[0])

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # kept for the owner, who ends the process
            self.error = error
        finally:
            self._close_cameras()
            self._ready.set()

    def _loop(self) -> None:
        generation, due = -1, time.monotonic()
        while not self._stop.is_set():
            simulation, found = self._physics.copy()
            stamp_ns = self._now_ns()
            if found != generation:
                self._open_cameras(simulation)
                generation = found
                self._ready.set()
            self._draw(simulation, stamp_ns)
            # A picture that comes late does not make the next ones early.
            due = max(due + 1.0 / self._rate_hz(), time.monotonic())
            self._stop.wait(due - time.monotonic())

    def _draw(self, simulation: So101Simulation, stamp_ns: int) -> None:
        for name, output in self._outputs.items():
            if self._is_wanted(name):
                begin = time.monotonic()
                image = self._cameras[name].render(simulation.data, self._perturbation(name))
                self._durations.append(time.monotonic() - begin)
                self._published.append(begin)
                output(image, stamp_ns)

    def _open_cameras(self, simulation: So101Simulation) -> None:
        self._close_cameras()
        for name in self._outputs:
            self._cameras[name] = Camera(simulation.model, name)

    def _close_cameras(self) -> None:
        for camera in self._cameras.values():
            camera.close()
        self._cameras.clear()
