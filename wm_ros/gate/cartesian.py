# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From motion of the tip to motion of the joints.

Damped least squares on the axes that ``cartesian_axes`` names, so that an arm with fewer than six
joints can follow what it is able to. Near a singularity damping makes the arm fall short; a
command that is not followed closely is refused, never bent.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import Reason
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.kinematics import Kinematics, Pose

# Not x, y, z: the YAML reader of ROS takes a plain y for true.
AXES = ('tx', 'ty', 'tz', 'rx', 'ry', 'rz')

_DAMPING = 0.01
# A twist counts as followed within this part of it.
_FOLLOWED = 0.1
_MAX_ITERATIONS = 10
_TOLERANCE_M = 1e-3
_TOLERANCE_RAD = 1e-2

_Array = NDArray[np.float64]


class Cartesian:
    """
    The tip of an arm, and how to move it.

    :param kinematics: of the whole robot.
    :param tip_link: what moves.
    :param axes: the axes that are followed, of ``AXES``; the others drift.
    """

    def __init__(
            self, kinematics: Kinematics, tip_link: str, axes: tuple[str, ...]) -> None:
        self._kinematics = kinematics
        self.tip_link = tip_link
        self._rows = np.array([AXES.index(axis) for axis in axes])

    def pose(self, positions: _Array) -> Pose:
        """Give the pose of the tip, (J,) rad."""
        return self._kinematics.pose(positions, self.tip_link)

    def frame(self, frame_id: str, positions: _Array) -> _Array:
        """
        Give the rotation of a frame that a command is in, (3, 3).

        :param frame_id: a link; empty for the root link.
        :raises CommandRefused: BAD_COMMAND, for a frame that is no link.
        """
        if not frame_id:
            return np.eye(3)
        if frame_id not in self._kinematics.links():
            raise CommandRefused(
                Reason.BAD_COMMAND, f'frame_id is {frame_id!r}; expected a link of the URDF: '
                f'{self._kinematics.links()}')
        return self._kinematics.pose(positions, frame_id).rotation

    def velocities(self, positions: _Array, twist: _Array, frame: _Array) -> _Array | None:
        """
        Give the joint velocities that move the tip with a twist.

        :param positions: (J,) rad. :param frame: rotation of the axes of the twist, (3, 3).
        :param twist: (6,) m/s and rad/s.
        :returns: (J,) rad/s, or None where the arm cannot follow.
        """
        jacobian = self._jacobian_in(positions, frame)
        wanted = twist[self._rows]
        found = _solve(jacobian, wanted)
        missed = float(np.linalg.norm(jacobian @ found - wanted))
        return found if missed <= _FOLLOWED * float(np.linalg.norm(wanted)) + 1e-9 else None

    def reach(self, positions: _Array, goal: Pose, frame: _Array) -> _Array | None:
        """
        Give joint positions near ``positions`` that bring the tip to a pose.

        :param goal: in the root frame. :param frame: axes in which ``axes`` are counted, (3, 3).
        :returns: (J,) rad, or None where no step leads there.
        """
        current = positions.copy()
        for _ in range(_MAX_ITERATIONS):
            error = self._error(current, goal, frame)
            if self._is_reached(error):
                return current
            current = current + _solve(self._jacobian_in(current, frame), error[self._rows])
        return current if self._is_reached(self._error(current, goal, frame)) else None

    def turned(self, vector: _Array, *, is_rpy: bool) -> _Array:
        """
        Give a rotation (3, 3) from three angles.

        :param is_rpy: roll, pitch and yaw about fixed axes; else axis times angle, rad.
        """
        matrix = self._kinematics.rotation_matrix
        if not is_rpy:
            return matrix(vector)
        roll, pitch, yaw = np.diag(vector)
        return np.asarray(matrix(yaw) @ matrix(pitch) @ matrix(roll))

    def _jacobian_in(self, positions: _Array, frame: _Array) -> _Array:
        full = self._kinematics.jacobian(positions, self.tip_link)
        rotated = np.vstack([frame.T @ full[:3], frame.T @ full[3:]])
        return np.asarray(rotated[self._rows])

    def _error(self, positions: _Array, goal: Pose, frame: _Array) -> _Array:
        now = self.pose(positions)
        turn = self._kinematics.rotation_vector(goal.rotation @ now.rotation.T)
        return np.concatenate([frame.T @ (goal.translation - now.translation), frame.T @ turn])

    def _is_reached(self, error: _Array) -> bool:
        tolerance = np.repeat([_TOLERANCE_M, _TOLERANCE_RAD], 3)
        return bool(np.all(np.abs(error) <= tolerance, where=self._is_followed()))

    def _is_followed(self) -> NDArray[np.bool_]:
        followed = np.zeros(6, dtype=bool)
        followed[self._rows] = True
        return followed


def _solve(jacobian: _Array, wanted: _Array) -> _Array:
    """Solve for (J,) with damping; the damping weighs a radian like a metre."""
    square = jacobian @ jacobian.T + _DAMPING ** 2 * np.eye(len(wanted))
    return np.asarray(jacobian.T @ np.linalg.solve(square, wanted))
