# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Run the simulation in step with the steady clock, in a thread of its own.

The main rule: whoever touches the simulation holds the lock, and nobody holds it for long. A
machine that cannot keep up makes the simulation slow, never jumpy.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.robot import TIMESTEP_S, Contact, Rehearsal, So101Simulation

TICK_STEPS = 5
SAMPLE_STEPS = 10
# More than this is never caught up: the simulation falls behind the clock instead.
MAX_LAG_S = 0.05
_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """
    The arm at one moment, and what it hit since the sample before.

    :param positions: float64 (J,), rad.
    :param velocities: float64 (J,), rad/s.
    :param efforts: float64 (J,), N m.
    :param contacts: hazards since the sample before, one per pair, each with its highest force.
    """

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    efforts: NDArray[np.float64]
    contacts: tuple[Contact, ...]


class RealTimePhysics:
    """
    Step a simulation at real-time factor 1.

    Every method may be called from any thread; each takes the lock for well under a tick.

    :param simulation: the first simulation to step; ``replace`` brings another.
    :param on_sample: called in the physics thread, without the lock, every 20 ms of simulated
        time.
    """

    def __init__(self, simulation: So101Simulation, on_sample: Callable[[Sample], None]) -> None:
        self._simulation = simulation
        self._on_sample = on_sample
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='physics', daemon=True)
        self._progress: deque[tuple[float, float]] = deque()
        self._generation = 0
        self._contacts: dict[tuple[str, str], Contact] = {}
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to step."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; safe to call twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    @property
    def real_time_factor(self) -> float:
        """Simulated over real time during the last two seconds; 0 before any."""
        progress = tuple(self._progress)
        if len(progress) < 2 or progress[-1][0] <= progress[0][0]:
            return 0.0
        return (progress[-1][1] - progress[0][1]) / (progress[-1][0] - progress[0][0])

    def replace(self, simulation: So101Simulation) -> None:
        """Go on with another simulation; takes the lock."""
        with self._lock:
            self._simulation = simulation
            self._generation += 1
            self._contacts.clear()

    def follow(self, times: NDArray[np.float64], positions: NDArray[np.float64]) -> None:
        """Follow a trajectory from now on (see ``So101Simulation``); takes the lock."""
        with self._lock:
            self._simulation.set_trajectory(times, positions)

    def set_position(self, positions: NDArray[np.float64]) -> None:
        """Make ``positions``, (J,) rad, the set-point; takes the lock."""
        with self._lock:
            self._simulation.set_position(positions)

    def hold(self) -> None:
        """Hold where the arm is measured to be; takes the lock."""
        with self._lock:
            self._simulation.set_position(self._simulation.positions)

    def rehearse(
            self, times: NDArray[np.float64], positions: NDArray[np.float64]) -> Rehearsal:
        """Run a trajectory on a copy; takes the lock only for copying."""
        twin, _generation = self.copy()
        return twin.rehearse(times, positions, should_stop=self._stop.is_set)

    def copy(self) -> tuple[So101Simulation, int]:
        """Copy the simulation; takes the lock. Returns the copy and its generation."""
        with self._lock:
            return self._simulation.copy(), self._generation

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # kept for the owner, who ends the process
            self.error = error

    def _loop(self) -> None:
        begin, tick_s, steps = time.monotonic(), TICK_STEPS * TIMESTEP_S, 0
        while not self._stop.is_set():
            now = time.monotonic()
            lag = now - begin - steps * TIMESTEP_S
            if lag < tick_s:
                self._stop.wait(tick_s - lag)
                continue
            begin += max(0.0, lag - MAX_LAG_S)
            sample = self._tick(wants_sample=(steps + TICK_STEPS) % SAMPLE_STEPS == 0)
            steps += TICK_STEPS
            self._note_progress(now, steps * TIMESTEP_S)
            if sample is not None:
                self._on_sample(sample)

    def _tick(self, *, wants_sample: bool) -> Sample | None:
        """Advance by one tick; takes the lock."""
        with self._lock:
            simulation = self._simulation
            for _ in range(TICK_STEPS):
                simulation.step()
                if simulation.has_hazard():
                    _merge(self._contacts, simulation.hazards())
            if not wants_sample:
                return None
            contacts = tuple(self._contacts.values())
            self._contacts.clear()
            return Sample(
                simulation.positions, simulation.velocities, simulation.efforts, contacts)

    def _note_progress(self, now: float, simulated_s: float) -> None:
        self._progress.append((now, simulated_s))
        while now - self._progress[0][0] > _WINDOW_S:
            self._progress.popleft()


def _merge(contacts: dict[tuple[str, str], Contact], found: tuple[Contact, ...]) -> None:
    """Keep of each pair of bodies the contact with the highest force."""
    for contact in found:
        known = contacts.get(contact.pair)
        if known is None or contact.force > known.force:
            contacts[contact.pair] = contact
