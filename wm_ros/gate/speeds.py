# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
At which speeds else than its own a command may be released, put to the predictor beforehand.

The gate says what it would do and the predictor judges that very thing: nothing is slowed that
was not judged so.
"""

from typing import NamedTuple

import numpy as np

from wm_ros.datatypes import CommandInterface, JointSample, Reason, Trajectory
from wm_ros.gate.config import GateConfig

# What the model itself said of the last command; whatever else makes the gate hold is no risk
# that one could move away from.
_OF_RISK = Reason.RISK | Reason.UNCERTAIN


class Speeds(NamedTuple):
    """
    Factors on the speed of a command, in (0, 1]; 0 where the gate does not ask.

    :param slow_factor: of the state SLOW. :param escape_factor: of a motion away from a risk.
    """

    slow_factor: float = 0.0
    escape_factor: float = 0.0


OWN_SPEED = Speeds()


def escape_factor(
        reasons: Reason, trajectory: Trajectory, interface: CommandInterface,
        start: JointSample, config: GateConfig) -> float:
    """
    Say at which factor on its speed a command may lead away from the risk that is held for.

    :param reasons: of the hold, or of the escape that is under way.
    :returns: such that no joint is faster than ``escape_max_velocity``; 0 where the hold is not
        for a risk, or the speed of a command is not the gate's to choose.
    """
    is_for_risk = bool(reasons & _OF_RISK) and not reasons & ~(_OF_RISK | Reason.ESCAPE)
    if not is_for_risk or not config.escape_max_velocity or not can_slow(interface, config):
        return 0.0
    speed = highest_speed(trajectory, start)
    return as_sent(min(1.0, config.escape_max_velocity / speed)) if speed > 0.0 else 0.0


def can_slow(interface: CommandInterface, config: GateConfig) -> bool:
    """Tell whether the controller can be told a speed; a set-point of positions has none."""
    return not (config.is_array_out and interface is CommandInterface.POSITION)


def highest_speed(trajectory: Trajectory, start: JointSample) -> float:
    """
    Return the highest speed of any joint, rad/s.

    Between points the mean speed counts, from the measured joints on, and at points what is given.

    :param start: measured joints, in the order of the trajectory.
    """
    times, positions = trajectory.times, trajectory.positions
    if times[0] > 0.0:
        times = np.append(0.0, times)
        positions = np.vstack([start.positions, positions])
    speeds = np.abs(np.diff(positions, axis=0) / np.diff(times)[:, None])
    given = np.zeros(1) if trajectory.velocities is None else np.abs(trajectory.velocities)
    return float(max(speeds.max(initial=0.0), given.max()))


def as_sent(factor: float) -> float:
    """Round a factor down to what a message carries, so that both sides have the same number."""
    sent = np.float32(factor)
    # As Python's numbers: NumPy would compare them with the digits of the coarser one.
    return float(sent if float(sent) <= factor else np.nextafter(sent, np.float32(0.0)))
