# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Play: seeded motions that keep off the table but know nothing of what stands on it.

The same motions make training data and are the commands of the demo. A play policy stands for
any learned policy: plausible moves, some of which end in a collision.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.motion import CHUNK_S, Motion
from wm_ros.simulation.robot import So101Simulation
from wm_ros.simulation.scene import Scene

POINT_PERIOD_S = 0.1
# Where play goes: wide enough to reach every object, short of the joint limits.
_LOWER = np.array([-1.15, -1.0, -1.3, -1.2, -1.5, -0.1])
_UPPER = np.array([1.15, 1.4, 1.4, 1.4, 1.5, 1.3])
_POOL_SEED = 101
_POOL_SIZE = 1500


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """
    One command of play.

    :param times: of the points after the start, float64 (N,), s.
    :param positions: float64 (N, J), rad; the last point is where the arm comes to rest.
    """

    times: NDArray[np.float64]
    positions: NDArray[np.float64]


class Play:
    """Draw moves from a seed, two thirds of them towards an object's place."""

    def __init__(self, seed: int, scene: Scene, motion: Motion | None = None) -> None:
        self._rng = np.random.default_rng([seed, 0x97A])
        self._scene = scene
        self._motion = motion or Motion()
        self._poses, self._tips = pose_pool()

    def start(self) -> NDArray[np.float64]:
        """Return a joint position to begin an episode at, drawn from poses held high."""
        high = np.flatnonzero(self._tips[:, 2] > 0.2)
        return self._poses[self._rng.choice(high)]

    def next_move(self, current: NDArray[np.float64], *, duration_s: float = CHUNK_S) -> Move:
        """
        Draw the next move.

        The draw takes the same random numbers whatever ``current`` is, so that two runs of one
        seed go on with the same targets after they have come apart.

        :param current: where the arm is, float64 (J,), rad.
        :param duration_s: how long the move takes, s.
        """
        target = self._target()
        reach = self._rng.uniform(*self._motion.reach_rad)
        reach *= max(1.0, duration_s / self._motion.chunk_s)
        return move_towards(current, target, reach=reach, duration_s=duration_s)

    def _target(self) -> NDArray[np.float64]:
        candidates = self._rng.choice(len(self._poses), 150, replace=False)
        towards = self._rng.random() < 0.65
        which = self._rng.integers(max(len(self._scene.objects), 1))
        if not towards or not self._scene.objects:
            return self._poses[candidates[0]]
        item = self._scene.objects[which]
        place = np.array([*item.position, item.height])
        distance = np.linalg.norm(self._tips[candidates] - place, axis=1)
        return self._poses[candidates[int(distance.argmin())]]


def move_towards(current: NDArray[np.float64], target: NDArray[np.float64], *, reach: float,
                 duration_s: float, span: NDArray[np.float64] | float = 1.0) -> Move:
    """
    Return a move that ends at rest at a target, or on the way to it where that is too far.

    :param current: where the joints are, float64 (J,).
    :param target: float64 (J,).
    :param reach: the longest way of any joint, in units of ``span``.
    :param duration_s: how long the move takes, s.
    :param span: what each joint's way is measured in, float64 (J,).
    """
    step = target - current
    longest = float(np.abs(step / span).max())
    if longest > reach:
        step = step * (reach / longest)
    times = np.arange(1.0, round(duration_s / POINT_PERIOD_S) + 1) * np.float64(POINT_PERIOD_S)
    progress = minimum_jerk(times / times[-1])
    return Move(times, current + progress[:, None] * step)


def minimum_jerk(progress: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a minimum-jerk path done at each share of its time (Hogan 1984)."""
    return progress ** 3 * (10 - 15 * progress + 6 * progress ** 2)


_pool: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def pose_pool() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return poses that touch neither table nor arm, the same in every process.

    :returns: joint positions float64 (P, J), rad, and gripper tips float64 (P, 3), m.
    """
    global _pool
    if _pool is None:
        empty = Scene(objects=(), table_rgb=(0.5, 0.5, 0.5), light=1.0,
                      light_position=(0.2, 0.0, 1.0))
        sim = So101Simulation(empty)
        site = sim.model.site('gripperframe').id
        rng = np.random.default_rng(_POOL_SEED)
        poses: list[NDArray[np.float64]] = []
        tips: list[NDArray[np.float64]] = []
        while len(poses) < _POOL_SIZE:
            pose = rng.uniform(_LOWER, _UPPER)
            sim.place(pose)
            tip = sim.data.site_xpos[site]
            mujoco.mj_collision(sim.model, sim.data)
            if tip[0] > 0.02 and tip[2] > 0.015 and not sim.has_hazard():
                poses.append(pose)
                tips.append(tip.copy())
        _pool = np.array(poses), np.array(tips)
    return _pool


__all__ = ['CHUNK_S', 'POINT_PERIOD_S', 'Motion', 'Move', 'Play', 'minimum_jerk',
           'move_towards', 'pose_pool']
