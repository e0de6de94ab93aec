# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the numbers or tokens of a policy to joint positions, from where the arm is now."""

import math

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Reason
from wm_ros.gate.action_space import GRIPPER, POSE_NUMBERS, ActionSpace
from wm_ros.gate.cartesian import Cartesian
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.config import GateConfig
from wm_ros.gate.kinematics import Pose
from wm_ros.gate.requests import ActionTargets
from wm_ros.gate.robot import Robot

# Each pose takes some steps of inverse kinematics; more would keep the gate from its watchdogs.
_MAX_POSES = 64
# Larger than any number of a policy: degrees, percent, counts of an encoder.
_SANE_NUMBER = 1e6

_Array = NDArray[np.float64]


def decode_targets(
        request: ActionTargets, start: JointSample, config: GateConfig,
        robot: Robot) -> tuple[_Array, float]:
    """
    Decode targets.

    :param start: fresh measured joints; joints that no number moves stay there.
    :returns: float64 (N, J), rad, and the time between them, s.
    :raises CommandRefused: BAD_COMMAND, or LIMIT for a pose out of reach.
    """
    space = robot.spaces.find(request.action_space)
    if space is None:
        names = [known.name for known in robot.spaces.spaces]
        raise CommandRefused(
            Reason.BAD_COMMAND, f'action_space is {request.action_space!r}; expected one of '
            f'{names}')
    if not (math.isfinite(request.step_s) and request.step_s >= 0.0):
        raise CommandRefused(Reason.BAD_COMMAND, f'step is {request.step_s} s; expected above 0')
    if request.step_s > config.max_duration:
        # Before it is counted in ns, of which so many are no number any more.
        raise CommandRefused(
            Reason.BAD_COMMAND,
            f'step is {request.step_s:.6g} s; max_duration is {config.max_duration} s')
    values = _numbers(request, space, config)
    positions = np.tile(start.positions, (len(values), 1))
    columns = {
        index: config.joint_names.index(joint) for index, joint in space.moved().items()}
    for index, column in columns.items():
        positions[:, column] = _joint_targets(
            values[:, index], space, space.numbers[index], float(start.positions[column]))
    if space.kind == 'cartesian':
        if robot.cartesian is None:
            raise CommandRefused(
                Reason.BAD_COMMAND, 'Cartesian targets need tip_link and the robot description')
        positions = _reach_poses(
            values, positions, list(columns.values()), start, space, robot.cartesian)
    return positions, request.step_s or space.step


def _numbers(request: ActionTargets, space: ActionSpace, config: GateConfig) -> _Array:
    """Give the numbers in the units of the data set, float64 (N, A)."""
    size = len(space.numbers)
    if bool(request.actions) == bool(request.tokens):
        raise CommandRefused(
            Reason.BAD_COMMAND, 'a chunk has actions or tokens, not both and not neither')
    flat = request.actions or request.tokens
    if request.action_size != size or len(flat) % size:
        raise CommandRefused(
            Reason.BAD_COMMAND, f'{len(flat)} numbers with action_size {request.action_size}; '
            f'action space {space.name} has {size} for each target')
    if len(flat) // size > config.max_points:
        raise CommandRefused(
            Reason.BAD_COMMAND,
            f'{len(flat) // size} targets; max_points is {config.max_points}')
    if request.tokens:
        values = space.tokens.restore(np.array(flat, dtype=np.int64).reshape(-1, size))
    else:
        values = np.array(flat, dtype=np.float64).reshape(-1, size)
    _check_sane(values, space)
    values = space.statistics.restore(values, space.normalisation)
    _check_sane(values, space)
    return values


def _check_sane(values: _Array, space: ActionSpace) -> None:
    """Refuse numbers that no arithmetic would survive; the limits come later."""
    sane = np.abs(values) <= _SANE_NUMBER
    if not sane.all():
        target, number = np.argwhere(~sane)[0]
        raise CommandRefused(
            Reason.BAD_COMMAND,
            f'{space.numbers[number]} of target {target} is {values[target, number]}')


def _joint_targets(values: _Array, space: ActionSpace, number: str, start: float) -> _Array:
    """Give the targets of one joint from its numbers, (N,)."""
    gripper = space.gripper
    if number == GRIPPER and gripper.joint:
        part = (values - gripper.number_closed) / (gripper.number_open - gripper.number_closed)
        part = np.where(part >= 0.5, 1.0, 0.0) if gripper.binary else np.clip(part, 0.0, 1.0)
        return np.asarray(gripper.closed + part * (gripper.open - gripper.closed))
    values = np.deg2rad(values) if space.unit == 'deg' else values
    if space.reference == 'previous':
        return start + np.cumsum(values)
    return values + (start if space.reference == 'start' else 0.0)


def _reach_poses(
        values: _Array, positions: _Array, moved: list[int], start: JointSample,
        space: ActionSpace, arm: Cartesian) -> _Array:
    """
    Give joint positions that bring the tip from pose to pose, (N, J).

    :param moved: columns of ``positions`` that numbers of their own move.
    """
    if len(values) > _MAX_POSES:
        raise CommandRefused(
            Reason.BAD_COMMAND, f'{len(values)} poses; at most {_MAX_POSES} are taken at once')
    pose_values = np.zeros((len(values), 6))
    for column, name in enumerate(POSE_NUMBERS):
        if name in space.numbers:
            pose_values[:, column] = values[:, space.numbers.index(name)]
    origin = goal = arm.pose(start.positions)
    current = start.positions.copy()
    reached = np.empty_like(positions)
    for index, row in enumerate(pose_values):
        current[moved] = positions[index, moved]
        goal = _next_pose(row, origin if space.reference == 'start' else goal, space, arm)
        frame = goal.rotation if space.frame == 'tip' else np.eye(3)
        found = arm.reach(current, goal, frame)
        if found is None:
            place = ', '.join(f'{value:.3f}' for value in goal.translation)
            raise CommandRefused(
                Reason.LIMIT, f'{arm.tip_link} cannot get to target {index} at ({place}) m: out '
                'of reach, too far in one step, or turned as the arm cannot (see cartesian_axes)')
        reached[index] = current = found
    return reached


def _next_pose(row: _Array, before: Pose, space: ActionSpace, arm: Cartesian) -> Pose:
    """Give the pose of one target."""
    turn = arm.turned(row[3:], is_rpy=space.rotation == 'rpy')
    if space.reference == 'absolute':
        return Pose(turn, row[:3])
    if space.frame == 'tip':
        return Pose(before.rotation @ turn, before.translation + before.rotation @ row[:3])
    return Pose(turn @ before.rotation, before.translation + row[:3])
