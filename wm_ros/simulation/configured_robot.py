# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulation of a robot that is known from its configuration alone, and its layouts."""

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.contacts import Contact, contacts, touches
from wm_ros.simulation.robot_config import RobotConfig
from wm_ros.simulation.robot_model import RobotModel, build_robot
from wm_ros.simulation.trajectory import SetpointTrajectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """
    What differs between episodes beyond the motion.

    :param objects: place and turn of each loose object, (x, y, z, yaw), m and rad.
    :param light: factor on all lights.
    """

    objects: tuple[tuple[float, float, float, float], ...]
    light: float


def sample_layout(config: RobotConfig, seed: int) -> Layout:
    """Return the layout of a seed: the same seed gives the same one on every machine."""
    rng = np.random.default_rng([seed, 0x1A9])
    return Layout(
        objects=tuple((float(rng.uniform(*item.x)), float(rng.uniform(*item.y)), item.z,
                       float(rng.uniform(*item.yaw))) for item in config.objects),
        light=float(rng.uniform(*config.light)))


class ConfiguredRobot:
    """
    A robot with a joint trajectory controller, stepped by its owner.

    Joints are in the order and the units of the configuration.
    """

    def __init__(self, config: RobotConfig, layout: Layout) -> None:
        """
        Compile the model and place the objects; the joints are at home.

        :raises SimulationError: if the model is not there or MuJoCo refuses it.
        :raises ValueError: naming what the configuration says and the model does not have.
        """
        self.config, self.layout = config, layout
        self.parts: RobotModel = build_robot(config)
        self.model = self.parts.model
        self.data = mujoco.MjData(self.model)
        self._names = ('', *config.hazard_kinds)
        self._light(layout.light)
        for address, (x, y, z, yaw) in zip(self.parts.objects, layout.objects, strict=True):
            self.data.qpos[address:address + 7] = (
                x, y, z, math.cos(yaw / 2), 0, 0, math.sin(yaw / 2))
        self.place(np.array([joint.home for joint in config.joints]))

    def _light(self, factor: float) -> None:
        self.model.light_diffuse[:] *= factor
        self.model.light_specular[:] *= factor
        for name in ('ambient', 'diffuse', 'specular'):
            getattr(self.model.vis.headlight, name)[:] *= factor

    @property
    def time_s(self) -> float:
        """Time since it was built, s."""
        return float(self.data.time)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Measured joints, float64 (J,), each from its first drive."""
        parts = self.parts
        return ((self.data.qpos[parts.qpos] - parts.offset) / parts.scale)[parts.first]

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Measured joints, float64 (J,), units of the joint per s."""
        return (self.data.qvel[self.parts.qvel] / self.parts.scale)[self.parts.first]

    @property
    def efforts(self) -> NDArray[np.float64]:
        """Effort of each joint, float64 (J,): work of all its drives per unit of the joint."""
        force = self.data.actuator_force[self.parts.ctrl] * self.parts.scale
        return np.asarray(
            np.bincount(self.parts.owner, force, len(self.parts.lower)), np.float64)

    @property
    def tips(self) -> NDArray[np.float64]:
        """Where the bodies are that play moves towards objects, float64 (tips, 3), m."""
        return self.data.xpos[list(self.parts.tips)].copy()

    def place(self, positions: NDArray[np.float64]) -> None:
        """Put the robot at rest at ``positions``, float64 (J,), without moving there."""
        driven = self._driven(positions)
        self.data.qpos[self.parts.qpos] = driven
        self.data.qvel[:] = 0
        self.data.ctrl[self.parts.ctrl] = driven
        mujoco.mj_forward(self.model, self.data)
        self._trajectory = SetpointTrajectory.held(
            np.clip(positions, self.parts.lower, self.parts.upper))

    def setpoint(self) -> NDArray[np.float64]:
        """Return where the controller wants the joints now, float64 (J,)."""
        return self._trajectory.at(self.time_s)

    def set_trajectory(self, times: NDArray[np.float64], positions: NDArray[np.float64]) -> None:
        """
        Follow a trajectory from now on, replacing any other.

        :param times: from now, float64 (N,), s, increasing, >= 0.
        :param positions: float64 (N, J).
        """
        self._trajectory = self._trajectory.replaced(
            self.time_s, times, positions, lower=self.parts.lower, upper=self.parts.upper)

    def step(self) -> None:
        """Advance physics by one step."""
        self.data.ctrl[self.parts.ctrl] = self._driven(self.setpoint())
        mujoco.mj_step(self.model, self.data)

    def _driven(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where the driven MJCF joints are for a joint position, float64 (K,)."""
        return positions[self.parts.owner] * self.parts.scale + self.parts.offset

    def has_hazard(self) -> bool:
        """Say whether any contact counts as a hazard; cheaper than ``hazards``."""
        return touches(self.data, self.parts.kinds)

    def hazards(self) -> tuple[Contact, ...]:
        """Return the contacts that count as hazards, right now."""
        return contacts(self.model, self.data, self.parts.kinds, self._names)

    def clearance(self) -> float:
        """Return NaN: which distances would count is not in the configuration."""
        return math.nan
