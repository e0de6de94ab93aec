# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where the links of an arm are, from its URDF, by Pinocchio.

Pinocchio is imported on use: a gate without Cartesian commands or a workspace box needs none.
Poses are in the frame of the URDF's root link, in m.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float64]


class Pose(NamedTuple):
    """
    A pose in the root frame.

    :param rotation: float64 (3, 3). :param translation: float64 (3,), m.
    """

    rotation: _Array
    translation: _Array


def load_pinocchio() -> Any:
    """
    Import Pinocchio.

    :raises ValueError: saying how to install it.
    """
    try:
        import pinocchio
    except ImportError as error:
        raise ValueError(
            'Cartesian commands and the workspace box need Pinocchio; install the package '
            "ros-jazzy-pinocchio with apt, or pip install 'wm_ros[kinematics]' "
            f'({error})') from error
    return pinocchio


class Kinematics:
    """
    Forward kinematics and Jacobians. Joints that the gate does not command stay at zero.

    :param urdf: the robot; meshes are not read.
    :param joint_names: J joints, the order of every vector of positions.
    :raises ValueError: if Pinocchio is missing or cannot use the URDF.
    """

    def __init__(self, urdf: str, joint_names: tuple[str, ...]) -> None:
        self._pin: Any = load_pinocchio()
        try:
            self._model = self._pin.buildModelFromXML(urdf)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f'the URDF cannot be used: {error}') from error
        self._data = self._model.createData()
        self._neutral = np.array(self._pin.neutral(self._model))
        self._q_index = []
        self._v_index = np.zeros(len(joint_names), dtype=np.int64)
        for column, name in enumerate(joint_names):
            if not self._model.existJointName(name):
                raise ValueError(f'the URDF has no moving joint {name}')
            joint = self._model.joints[self._model.getJointId(name)]
            self._q_index.append((joint.idx_q, joint.nq))
            self._v_index[column] = joint.idx_v

    def check_link(self, link: str, setting: str) -> None:
        """
        Refuse a link that the URDF lacks.

        :param setting: where the name comes from, for the message.
        :raises ValueError: naming both.
        """
        if link not in self.links():
            raise ValueError(f'{setting} is {link!r}; the URDF has {self.links()}')

    def links(self) -> list[str]:
        """List the names of the links."""
        body = self._pin.FrameType.BODY
        return [frame.name for frame in self._model.frames if frame.type == body]

    def pose(self, positions: _Array, link: str) -> Pose:
        """
        Give the pose of a link.

        :param positions: float64 (J,), rad.
        """
        self._pin.forwardKinematics(self._model, self._data, self._configuration(positions))
        placement = self._pin.updateFramePlacement(
            self._model, self._data, self._frame(link))
        return Pose(np.array(placement.rotation), np.array(placement.translation))

    def places(self, positions: _Array, links: tuple[str, ...]) -> _Array:
        """
        Give where links are at M configurations.

        :param positions: float64 (M, J), rad.
        :returns: float64 (M, L, 3), m.
        """
        frames = [self._frame(link) for link in links]
        found = np.empty((len(positions), len(links), 3))
        for row, configuration in enumerate(positions):
            self._pin.forwardKinematics(
                self._model, self._data, self._configuration(configuration))
            for column, frame in enumerate(frames):
                found[row, column] = self._pin.updateFramePlacement(
                    self._model, self._data, frame).translation
        return found

    def jacobian(self, positions: _Array, link: str) -> _Array:
        """
        Give the Jacobian of a link's own point, axes along the root frame.

        :returns: float64 (6, J): m/s, then rad/s, for each rad/s.
        """
        full = self._pin.computeFrameJacobian(
            self._model, self._data, self._configuration(positions), self._frame(link),
            self._pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        return np.array(full[:, self._v_index])

    def rotation_vector(self, rotation: _Array) -> _Array:
        """Give a rotation (3, 3) as axis times angle, (3,) rad."""
        return np.array(self._pin.log3(rotation))

    def rotation_matrix(self, vector: _Array) -> _Array:
        """Give axis times angle, (3,) rad, as a rotation (3, 3)."""
        return np.array(self._pin.exp3(vector))

    def _frame(self, link: str) -> int:
        return int(self._model.getFrameId(link, self._pin.FrameType.BODY))

    def _configuration(self, positions: _Array) -> _Array:
        configuration = self._neutral.copy()
        for (index, size), value in zip(self._q_index, positions, strict=True):
            # A continuous joint is a point on the circle.
            configuration[index:index + size] = (
                value if size == 1 else (np.cos(value), np.sin(value)))
        return configuration
