# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Joint limits out of a URDF.

Read without a kinematics library, so that limits alone need none. What a joint does not say is
no limit; what it says wrongly is an error, never a guess.
"""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

# An arm's URDF has some hundred kB; meshes are named in it, not contained.
_MAX_CHARS = 16_000_000
_LIMITED_TYPES = ('revolute', 'prismatic')
_MOVING_TYPES = (*_LIMITED_TYPES, 'continuous')


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RobotDescription:
    """
    A URDF and what it says of the gate's joints, in the order of ``joint_names``.

    :param text: the URDF.
    :param lower: float64 (J,), rad; -inf where there is none. :param upper: the same, inf.
    :param speed: float64 (J,), rad/s; inf where there is none.
    :param acceleration: float64 (J,), rad/s^2; inf where there is none.
    """

    text: str
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    speed: NDArray[np.float64]
    acceleration: NDArray[np.float64]


def parse_description(text: str, joint_names: tuple[str, ...]) -> RobotDescription:
    """
    Read the limits of the named joints.

    :param text: a URDF; document types and entities are refused.
    :raises ValueError: if it is no URDF, lacks a joint, or a limit makes no sense.
    """
    joints = {joint.get('name', ''): joint for joint in _read(text).findall('joint')}
    missing = [name for name in joint_names if name not in joints]
    if missing:
        raise ValueError(
            f'the URDF has no joint {missing}; it has {sorted(joints)}, joint_names is '
            f'{list(joint_names)}')
    rows = [_limits(joints[name], name) for name in joint_names]
    lower, upper, speed, acceleration = np.array(rows, dtype=np.float64).T
    return RobotDescription(
        text=text, lower=lower, upper=upper, speed=speed, acceleration=acceleration)


def _read(text: str) -> ElementTree.Element:
    if len(text) > _MAX_CHARS:
        raise ValueError(f'the URDF has {len(text)} characters; at most {_MAX_CHARS} are read')
    if '<!DOCTYPE' in text or '<!ENTITY' in text:
        raise ValueError('the URDF has a document type or entities; take them out (xacro does)')
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f'the URDF is no XML: {error}') from error
    if root.tag != 'robot':
        raise ValueError(f'the URDF starts with <{root.tag}>; expected <robot>')
    return root


def _limits(joint: ElementTree.Element, name: str) -> tuple[float, float, float, float]:
    """Give lowest and highest position, speed and acceleration of one joint."""
    kind = joint.get('type', '')
    if kind not in _MOVING_TYPES:
        raise ValueError(
            f'joint {name} of the URDF is {kind or "without a type"}; a commanded joint is one of '
            f'{", ".join(_MOVING_TYPES)}')
    limit = joint.find('limit')
    if limit is None:
        if kind in _LIMITED_TYPES:
            raise ValueError(f'joint {name} of the URDF is {kind} and has no <limit>')
        return -math.inf, math.inf, math.inf, math.inf
    lower, upper = -math.inf, math.inf
    if kind in _LIMITED_TYPES:
        lower = _number(limit, 'lower', name, missing=0.0)
        upper = _number(limit, 'upper', name, missing=0.0)
        if not lower < upper:
            raise ValueError(
                f'joint {name} of the URDF may be from {lower} to {upper}; lower must be below')
    return (lower, upper, _magnitude(limit, 'velocity', name),
            _magnitude(limit, 'acceleration', name))


def _magnitude(limit: ElementTree.Element, attribute: str, name: str) -> float:
    value = _number(limit, attribute, name, missing=math.inf)
    if not value > 0.0:
        raise ValueError(f'{attribute} of joint {name} in the URDF is {value}; expected above 0')
    return value


def _number(
        limit: ElementTree.Element, attribute: str, name: str, *, missing: float) -> float:
    given = limit.get(attribute)
    if given is None:
        return missing
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f'{attribute} of joint {name} in the URDF is {given!r}, no number')
    return value
