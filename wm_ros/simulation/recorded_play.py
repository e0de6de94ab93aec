# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Let play drive any simulated robot and remember what happens as an episode.

Letters: J joints, h w image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import CameraFrames, Episode, encode_frame
from wm_ros.simulation.contacts import Contact
from wm_ros.simulation.play import Move


class Simulation(Protocol):
    """A simulated robot that follows joint trajectories."""

    @property
    def time_s(self) -> float:
        """Time since it was built, s."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """Measured joints, float64 (J,)."""

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Measured joints, float64 (J,)."""

    @property
    def efforts(self) -> NDArray[np.float64]:
        """Measured joints, float64 (J,)."""

    def place(self, positions: NDArray[np.float64]) -> None:
        """Put the robot at rest without moving there."""

    def setpoint(self) -> NDArray[np.float64]:
        """Return where the controller wants the joints now, float64 (J,)."""

    def set_trajectory(self, times: NDArray[np.float64], positions: NDArray[np.float64]) -> None:
        """Follow a trajectory from now on."""

    def step(self) -> None:
        """Advance physics by one step."""

    def has_hazard(self) -> bool:
        """Say whether any contact counts as a hazard."""

    def hazards(self) -> tuple[Contact, ...]:
        """Return the contacts that do."""

    def clearance(self) -> float:
        """Return the least distance to anything it could hit, m; NaN if not known."""


class Player(Protocol):
    """Decides where to go."""

    def start(self) -> NDArray[np.float64]:
        """Return where to begin, float64 (J,)."""

    def next_move(self, current: NDArray[np.float64], *, duration_s: float) -> Move:
        """Return the next command."""


class Pace(Protocol):
    """How long moves take."""

    @property
    def chunk_s(self) -> float:
        """Of a common move, s."""

    @property
    def slow_share(self) -> float:
        """Share of the moves that take longer."""

    @property
    def slow_s(self) -> float:
        """The longest of them, s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """
    What is recorded, how often and for how long.

    :param joint_names: J names.
    :param hazard_kinds: names of the hazard bits.
    :param camera_name: the main camera.
    :param size_px: width and height of stored frames.
    :param physics_s: physics step, s.
    :param joint_s: period of joint samples, s.
    :param frame_s: period of frames, s.
    :param duration_s: length of the episode, s.
    :param after_hazard_s: how long it goes on after the first hazard, s.
    """

    joint_names: tuple[str, ...]
    hazard_kinds: tuple[str, ...]
    camera_name: str
    size_px: tuple[int, int]
    physics_s: float
    joint_s: float
    frame_s: float
    duration_s: float
    after_hazard_s: float


def record_play(sim: Simulation, schedule: 'PlaySchedule', recording: Recording, *,
                draw: Callable[[], NDArray[np.uint8]], info: dict[str, object],
                extra: Mapping[str, Callable[[], NDArray[np.uint8]]] = MappingProxyType({})
                ) -> Episode:
    """
    Run one episode: the same simulation and play give the same motion and pictures.

    :param draw: returns what the camera sees now, RGB uint8 (h, w, 3).
    :param info: stored with the episode.
    :param extra: the same as ``draw`` for each further camera; all draw the same moment.
    """
    def film() -> None:
        log.add_frame(draw())
        for name, draw_extra in extra.items():
            log.add_frame(draw_extra(), name)

    log = EpisodeLog(sim, recording)
    run_play(log, schedule, at_frame=film)
    return log.episode(info)


def run_play(log: 'EpisodeLog', schedule: 'PlaySchedule', *, at_frame: Callable[[], None]) -> None:
    """
    Let play drive the simulation of a log to the end of its episode.

    :param at_frame: called whenever the camera takes a frame.
    """
    sim, recording = log.sim, log.recording
    per_joint, per_frame = (round(period / recording.physics_s)
                            for period in (recording.joint_s, recording.frame_s))
    for step in range(round(recording.duration_s / recording.physics_s) + 1):
        schedule.update()
        log.note_hazards()
        if step % per_joint == 0:
            log.add_joints()
        if step % per_frame == 0:
            at_frame()
        if log.first_hazard_s is not None and (
                sim.time_s > log.first_hazard_s + recording.after_hazard_s):
            break
        sim.step()


class PlaySchedule:
    """When play sends its next command: after the last, with pauses, at times in between."""

    def __init__(self, seed: int, sim: Simulation, play: Player, pace: Pace) -> None:
        self._rng = np.random.default_rng([seed, 0xC0])
        self._play, self._pace, self._sim = play, pace, sim
        sim.place(play.start())
        self._next_s = float(self._rng.uniform(0.1, 0.5))

    def update(self) -> None:
        """Send the next command when it is due."""
        now = self._sim.time_s
        if now < self._next_s:
            return
        # Most moves are one chunk, as a policy sends them; some are slower and longer.
        pace = self._pace
        slow = self._rng.random() < pace.slow_share
        duration = (float(self._rng.uniform(pace.chunk_s, pace.slow_s)) if slow
                    else pace.chunk_s)
        move = self._play.next_move(self._sim.positions, duration_s=duration)
        self._sim.set_trajectory(move.times, move.positions)
        # Now and then a new command replaces one that is still running.
        cut_short = self._rng.random() < 0.15
        share = self._rng.uniform(0.3, 0.9) if cut_short else 1.0
        self._next_s = now + share * duration + float(self._rng.uniform(0.0, 0.4))


class EpisodeLog:
    """What an episode remembers while it runs."""

    def __init__(self, sim: Simulation, recording: Recording) -> None:
        self.sim, self.recording = sim, recording
        self._hazard = 0
        self.first_hazard_s: float | None = None
        self._joints: list[tuple[int, NDArray[np.float64], NDArray[np.float64],
                                 NDArray[np.float64], NDArray[np.float64], int, float]] = []
        self._frames: dict[str, list[tuple[int, bytes]]] = {recording.camera_name: []}

    def note_hazards(self) -> None:
        """Remember the hazards of this moment."""
        if self.sim.has_hazard():
            if self.first_hazard_s is None:
                self.first_hazard_s = self.sim.time_s
            for contact in self.sim.hazards():
                self._hazard |= 1 << self.recording.hazard_kinds.index(contact.kind)

    def add_joints(self, *, hazard: str = '') -> None:
        """
        Take a joint sample, with the hazards since the last one.

        :param hazard: the kind of a further one, which need not have happened.
        """
        sim = self.sim
        if hazard:
            self._hazard |= 1 << self.recording.hazard_kinds.index(hazard)
        self._joints.append((self._stamp_ns(), sim.positions, sim.velocities, sim.efforts,
                             sim.setpoint(), self._hazard, sim.clearance()))
        self._hazard = 0

    def add_frame(self, image: NDArray[np.uint8], camera: str = '',
                  time_s: float | None = None) -> None:
        """
        Take a frame of the main or another camera.

        :param image: RGB uint8 (h, w, 3) of any size.
        :param time_s: when it was seen, in order; now if None.
        """
        small = cv2.resize(image, self.recording.size_px, interpolation=cv2.INTER_AREA)
        frames = self._frames.setdefault(camera or self.recording.camera_name, [])
        frames.append((self._stamp_ns(time_s), encode_frame(np.asarray(small, np.uint8))))

    def _stamp_ns(self, time_s: float | None = None) -> int:
        return round((self.sim.time_s if time_s is None else time_s) * 1e6) * 1000

    def episode(self, info: dict[str, object]) -> Episode:
        """Return everything remembered."""
        stamps, *columns, hazards, clearance = zip(*self._joints, strict=True)
        positions, velocities, efforts, setpoints = (
            np.array(column, np.float32) for column in columns)
        known = not np.isnan(clearance).all()
        main, *others = (CameraFrames(
            frames=tuple(data for _, data in taken),
            stamps_ns=np.array([stamp for stamp, _ in taken], np.int64))
            for taken in self._frames.values())
        return Episode(
            frames=main.frames, frame_stamps_ns=main.stamps_ns,
            extra_cameras=dict(zip([*self._frames][1:], others, strict=True)),
            joint_names=self.recording.joint_names,
            joint_stamps_ns=np.array(stamps, np.int64),
            positions=positions, velocities=velocities, efforts=efforts, setpoints=setpoints,
            hazards=np.array(hazards, np.uint8),
            clearance=np.array(clearance, np.float32) if known else None,
            hazard_kinds=self.recording.hazard_kinds,
            camera_name=self.recording.camera_name, info=info)
