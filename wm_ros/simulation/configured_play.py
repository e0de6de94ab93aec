# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play for a robot that is known from its configuration alone."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import SimulationError
from wm_ros.simulation.configured_robot import ConfiguredRobot, Layout
from wm_ros.simulation.play import Move, move_towards
from wm_ros.simulation.robot_config import RobotConfig

POOL_SIZE = 1500
_POOL_SEED = 103
_CANDIDATES = 400
_MAX_DRAWS = 100_000
_START_DRAWS = 100
# Out of the robot's reach, where objects wait while poses are tried.
_AWAY_M = 50.0


class ConfiguredPlay:
    """
    Draw moves from a seed, many of them towards an object's place.

    Poses touch nothing that stays where it is; of what stands there play knows nothing.
    """

    def __init__(self, seed: int, sim: ConfiguredRobot) -> None:
        """
        Take a seed and the robot that will be moved.

        :raises SimulationError: if nearly every pose of the play ranges touches something.
        """
        self._rng = np.random.default_rng([seed, 0x97A])
        self._sim, self._settings = sim, sim.config.play
        self._poses, self._tips = pose_pool(sim.config)
        self._span = np.array([joint.play[1] - joint.play[0] for joint in sim.config.joints])

    def start(self) -> NDArray[np.float64]:
        """Return where to begin: a pose held high that touches no object; home at the worst."""
        lowest = self._tips[:, :, 2].min(axis=1)
        high = np.flatnonzero(lowest >= np.median(lowest))
        for _ in range(_START_DRAWS):
            pose = self._poses[self._rng.choice(high)]
            self._sim.place(pose)
            if not self._sim.has_hazard():
                return pose
        return np.array([joint.home for joint in self._sim.config.joints])

    def next_move(self, current: NDArray[np.float64], *, duration_s: float) -> Move:
        """
        Draw the next move.

        :param current: where the joints are, float64 (J,).
        :param duration_s: how long the move takes, s.
        """
        target = self._target()
        reach = self._rng.uniform(*self._settings.reach)
        reach *= max(1.0, duration_s / self._settings.chunk_s)
        return move_towards(current, target, reach=reach, duration_s=duration_s, span=self._span)

    def _target(self) -> NDArray[np.float64]:
        candidates = self._rng.choice(
            len(self._poses), min(_CANDIDATES, len(self._poses)), replace=False)
        towards = self._rng.random() < self._settings.towards
        objects = self._sim.layout.objects
        which = int(self._rng.integers(max(len(objects), 1)))
        tip = int(self._rng.integers(self._tips.shape[1]))
        if not towards or not objects:
            return self._poses[candidates[0]]
        place = np.array(objects[which][:3])
        distance = np.linalg.norm(self._tips[candidates, tip] - place, axis=1)
        return self._poses[candidates[int(distance.argmin())]]


@cache
def pose_pool(config: RobotConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return poses in which nothing but loose objects could be touched, the same in every process.

    :returns: joint positions float64 (P, J) and tips float64 (P, tips, 3), m.
    :raises ValueError: if the home position touches something.
    :raises SimulationError: if nearly every pose of the play ranges touches something.
    """
    away = tuple((_AWAY_M * (1 + index), 0.0, 0.0, 0.0) for index in range(len(config.objects)))
    sim = ConfiguredRobot(config, Layout(objects=away, light=1.0))
    if sim.has_hazard():
        contact = sim.hazards()[0]
        raise ValueError(f'the home position touches: {contact.pair[0]!r} and '
                         f'{contact.pair[1]!r} ({contact.kind}); change home or add the pair '
                         'to allowed')
    rng = np.random.default_rng(_POOL_SEED)
    low, high = np.array([joint.play for joint in config.joints]).T
    poses: list[NDArray[np.float64]] = []
    tips: list[NDArray[np.float64]] = []
    for _ in range(_MAX_DRAWS):
        pose = rng.uniform(low, high)
        sim.place(pose)
        if not sim.has_hazard():
            poses.append(pose)
            tips.append(sim.tips)
        if len(poses) == POOL_SIZE:
            return np.array(poses), np.array(tips)
    raise SimulationError(f'of {_MAX_DRAWS} poses in the play ranges only {len(poses)} touch '
                          f'nothing, {POOL_SIZE} are needed; narrow the play ranges of the joints')
