# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The simulated arm with a joint trajectory controller, stepped by its owner.

No thread and no clock in here: ``step`` advances physics by one time step, whoever calls it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.contacts import Contact, contacts, touches
from wm_ros.simulation.scene import JOINT_NAMES, TABLE, TIMESTEP_S, Scene, build_model
from wm_ros.simulation.trajectory import SetpointTrajectory

# Further away than this, how far does not matter.
CLEARANCE_RANGE_M = 0.1


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """
    What a trajectory would do, run on a copy.

    :param first_hazard_s: time of the first hazard after the start, s; None if there was none.
    :param contacts: the contacts of that moment.
    """

    first_hazard_s: float | None
    contacts: tuple[Contact, ...]


class So101Simulation:
    """
    SO-101 in MuJoCo with a position interface and a joint trajectory interface.

    Joints are in the order of ``scene.JOINT_NAMES``. The controller interpolates linearly from
    its last set-point, as joint_trajectory_controller does with positions alone and
    ``interpolate_from_desired_state``, and holds the last point.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.model = build_model(scene)
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in JOINT_NAMES]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._qvel = np.array([joint.dofadr[0] for joint in joints])
        self._ctrl = np.array([self.model.actuator(name).id for name in JOINT_NAMES])
        self.lower, self.upper = self.model.actuator_ctrlrange[self._ctrl].T
        self._kinds = _hazard_kinds(self.model)
        self._table = self.model.geom(TABLE).id
        self._near = _near_pairs(self.model, self._kinds, self._table)
        self._trajectory = SetpointTrajectory.held(np.zeros(len(JOINT_NAMES)))
        mujoco.mj_forward(self.model, self.data)

    @property
    def time_s(self) -> float:
        """Time since the scene was built, s."""
        return float(self.data.time)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Measured joint positions, float64 (J,), rad."""
        return self.data.qpos[self._qpos].copy()

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Measured joint velocities, float64 (J,), rad/s."""
        return self.data.qvel[self._qvel].copy()

    @property
    def efforts(self) -> NDArray[np.float64]:
        """Actuator torques, float64 (J,), N m."""
        return self.data.actuator_force[self._ctrl].copy()

    def place(self, positions: NDArray[np.float64]) -> None:
        """Put the arm at rest at ``positions`` without moving there."""
        self.data.qpos[self._qpos] = positions
        self.data.qvel[:] = 0
        self.data.ctrl[self._ctrl] = positions
        mujoco.mj_forward(self.model, self.data)
        self.set_position(positions)

    def setpoint(self, time_s: float | None = None) -> NDArray[np.float64]:
        """Return where the controller wants the joints at ``time_s`` (default now)."""
        return self._trajectory.at(self.time_s if time_s is None else time_s)

    def set_position(self, positions: NDArray[np.float64]) -> None:
        """Make ``positions`` the set-point at once, clipped to the joint limits."""
        self._trajectory = SetpointTrajectory.held(np.clip(positions, self.lower, self.upper))

    def set_trajectory(
            self, times: NDArray[np.float64], positions: NDArray[np.float64]) -> None:
        """
        Follow a trajectory from now on, replacing any other.

        :param times: from the start of the trajectory, float64 (N,), s, increasing, >= 0.
        :param positions: float64 (N, J), rad.
        """
        self._trajectory = self._trajectory.replaced(
            self.time_s, times, positions, lower=self.lower, upper=self.upper)

    def step(self) -> None:
        """Advance physics by ``TIMESTEP_S``."""
        self.data.ctrl[self._ctrl] = self.setpoint()
        mujoco.mj_step(self.model, self.data)

    def hazards(self) -> tuple[Contact, ...]:
        """Return the contacts of the arm with objects, table or itself, right now."""
        return contacts(self.model, self.data, self._kinds, HAZARD_KINDS, world=TABLE)

    def has_hazard(self) -> bool:
        """Say whether any contact counts as a hazard; cheaper than ``hazards``."""
        return touches(self.data, self._kinds)

    def clearance(self) -> float:
        """
        Return the least distance of the arm to table and objects, m, at most CLEARANCE_RANGE_M.

        Negative where they touch.
        """
        nearest, centres, radii = CLEARANCE_RANGE_M, self.data.geom_xpos, self.model.geom_rbound
        # Bounding spheres first: most pairs are far apart. The table's top is at z = 0.
        arms, others = self._near.T
        apart = np.where(
            others == self._table, centres[arms, 2],
            np.linalg.norm(centres[arms] - centres[others], axis=1) - radii[others]) - radii[arms]
        for pair in np.flatnonzero(apart < nearest):
            if apart[pair] < nearest:
                nearest = min(nearest, mujoco.mj_geomDistance(
                    self.model, self.data, arms[pair], others[pair], nearest, None))
        return float(nearest)

    def rehearse(self, times: NDArray[np.float64], positions: NDArray[np.float64],
                 *, settle_s: float = 0.2,
                 should_stop: Callable[[], bool] | None = None) -> Rehearsal:
        """
        Run a trajectory on a copy of the present state until it ends or a hazard happens.

        :param settle_s: how long to go on after the last point, s.
        :param should_stop: asked every step; true ends the rehearsal as harmless.
        """
        copy = self.copy()
        copy.set_trajectory(times, positions)
        start = copy.time_s
        while copy.time_s < start + float(times[-1]) + settle_s:
            if should_stop is not None and should_stop():
                break
            copy.step()
            if copy.has_hazard():
                return Rehearsal(copy.time_s - start, copy.hazards())
        return Rehearsal(None, ())

    def copy(self) -> 'So101Simulation':
        """Return an independent copy of the present state that shares the compiled model."""
        twin = object.__new__(So101Simulation)
        twin.__dict__.update(self.__dict__)
        twin.data = mujoco.MjData(self.model)
        mujoco.mj_copyData(twin.data, self.model, self.data)
        return twin


HAZARD_KINDS = ('', 'object', 'table', 'self')


def _hazard_kinds(model: mujoco.MjModel) -> NDArray[np.int8]:
    """Return for each pair of geoms the index in HAZARD_KINDS, int8 (G, G)."""
    names = [model.body(body).name for body in model.geom_bodyid]
    base = model.body('base').id
    arm = np.array([
        model.body_rootid[body] == base and body != base for body in model.geom_bodyid])
    loose = np.array([name.startswith('object_') for name in names])
    table = np.array([model.geom(index).name == TABLE for index in range(model.ngeom)])
    kinds = np.zeros((model.ngeom, model.ngeom), np.int8)
    for index, other in ((1, loose), (2, table), (3, arm)):
        kinds[np.ix_(arm, other)] = kinds[np.ix_(other, arm)] = index
    return kinds


def _near_pairs(model: mujoco.MjModel, kinds: NDArray[np.int8], table: int
                ) -> NDArray[np.int64]:
    """Return the pairs (arm geom, other geom) whose distance counts as clearance, (P, 2)."""
    base, shoulder = model.body('base').id, model.body('shoulder').id
    pairs = []
    for arm, other in np.argwhere((kinds == 1) | (kinds == 2)):
        body = model.geom_bodyid[arm]
        # The shoulder turns just above the table and can never come nearer to it.
        if model.body_rootid[body] == base and not (body == shoulder and other == table):
            pairs.append((int(arm), int(other)))
    return np.array(pairs).reshape(-1, 2)


__all__ = ['HAZARD_KINDS', 'JOINT_NAMES', 'TIMESTEP_S', 'Contact', 'Rehearsal', 'So101Simulation']
