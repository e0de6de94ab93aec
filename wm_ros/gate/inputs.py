# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the gate last heard of the robot and the predictor, and how old it is.

Ages run on the steady clock from the moment of receipt. The ROS stamp of a message is judged once,
when it arrives, with both bounds: a stamp in the future is as stale as an old one, and a step of
the wall clock costs at most the messages under way.
"""

import math
from typing import NamedTuple

import numpy as np

from wm_ros.datatypes import JointSample, Reason
from wm_ros.gate.checks import column_order
from wm_ros.gate.config import GateConfig
from wm_ros.gate.standstill import Standstill
from wm_ros.gate.values import NS_PER_S, Heartbeat, Now

# The gate holds at this part of joint_state_timeout, while the joints still serve for a hold.
_HOLD_MARGIN = 0.75


class Problem(NamedTuple):
    """One reason not to release, and its words."""

    reason: Reason
    text: str


class Inputs:
    """
    The newest joints, heartbeat, verdict and dead-man.

    :param config: the gate's settings; replaced whole by ``config`` assignment.
    """

    def __init__(self, config: GateConfig) -> None:
        self.config = config
        self._joints: JointSample | None = None
        self._joints_steady_ns = 0
        self._joints_late_ns = 0
        self._joints_fault: Problem | None = None
        self._beat: Heartbeat | None = None
        self._beat_steady_ns = 0
        self._progress: int | None = None
        self._lost_text = ''
        self._standstill = Standstill(config.control_rate)
        self._verdict_steady_ns: int | None = None
        self.has_description = not config.robot_description_topic

    def see_clocks(self, now: Now) -> None:
        """Take note of both clocks; call at each tick."""
        self._standstill.see(now)

    @property
    def standstill_ns(self) -> int:
        """Return what gap between two looks at the clocks is a standstill, ns."""
        return self._standstill.least_ns

    def waited_s(self, now: Now) -> float:
        """Return for how long a message without a stamp may have waited that comes now, s."""
        self._standstill.see(now)
        return self._standstill.waited_ns / NS_PER_S

    def command_problem(self, stamp_ns: int, now: Now) -> Problem | None:
        """
        Say why a command that comes now may be too old, whatever its stamp says.

        :param stamp_ns: 0 for none.
        """
        age_s, limit_s = self.waited_s(now), self.config.max_command_age
        if stamp_ns:
            age_s = (now.ros_ns - stamp_ns + self._standstill.hidden_ns) / NS_PER_S
        if age_s <= limit_s or not self._standstill.waited_ns:
            return None
        return Problem(
            Reason.TIME_SYNC, f'the gate stood still and the command may be {age_s:.3f} s old; '
            f'max_command_age is {limit_s} s')

    def take_joints(self, sample: JointSample, now: Now) -> Problem | None:
        """
        Store measured joints in the configured order, or say why not.

        :param sample: any order, extra joints allowed; sizes may be wrong.
        :returns: the problem, None if the sample was stored.
        """
        self._standstill.see(now)
        self._joints_fault = self._judge_joints(sample, now)
        if self._joints_fault is not None:
            return self._joints_fault
        index = {name: i for i, name in enumerate(sample.names)}
        order = [index[name] for name in self.config.joint_names]
        self._joints = JointSample(
            names=self.config.joint_names, positions=sample.positions[order].copy(),
            velocities=sample.velocities[order].copy(), stamp_ns=sample.stamp_ns)
        self._joints_steady_ns = now.steady_ns
        self._joints_late_ns = (
            max(0, now.ros_ns - sample.stamp_ns) + self._standstill.hidden_ns)
        return None

    def take_heartbeat(self, beat: Heartbeat, now: Now) -> None:
        """
        Store a heartbeat; one without progress says only that the process still talks.

        Nor does the first say more: it shows how far the predictor is, not that it goes on.
        """
        self._standstill.see(now)
        last, self._progress = self._progress, beat.progress
        # Also after the predictor was lost: what hung before its lease ran out hangs still.
        if last is None or beat.progress == last:
            return
        self._beat = beat
        # The progress may be of any moment in which the gate did not look.
        self._beat_steady_ns = now.steady_ns - self._standstill.waited_ns

    def take_verdict(self, now: Now) -> None:
        """Note that a verdict came."""
        self._verdict_steady_ns = now.steady_ns

    def lose_predictor(self, text: str) -> None:
        """Forget the heartbeat; the middleware says that its publisher is gone."""
        self._beat, self._lost_text = None, text

    def forget(self) -> None:
        """Forget everything; used when the clock jumps back."""
        self._joints = self._beat = self._verdict_steady_ns = None

    def fresh_joints(self, now: Now) -> JointSample | None:
        """Return the measured joints if they are younger than joint_state_timeout."""
        age = self.joint_age_s(now)
        return self._joints if 0.0 <= age < self.config.joint_state_timeout else None

    def joint_age_s(self, now: Now) -> float:
        """Return the age of the joints, s: time since receipt and on the way; -1 before any."""
        if self._joints is None:
            return -1.0
        return (now.steady_ns - self._joints_steady_ns + self._joints_late_ns) / NS_PER_S

    def heartbeat_age_s(self, now: Now) -> float:
        """Return the time since the last heartbeat with progress, s; -1 before any."""
        return -1.0 if self._beat is None else (now.steady_ns - self._beat_steady_ns) / NS_PER_S

    def image_age_s(self, now: Now) -> float:
        """Return the age of the newest frame, s, by the predictor's word; -1 before any."""
        if self._beat is None or not self._beat.image_age_s >= 0.0:
            return -1.0
        return self._beat.image_age_s + self.heartbeat_age_s(now)

    def verdict_age_s(self, now: Now) -> float:
        """Return the time since the last verdict, s; -1 before any."""
        if self._verdict_steady_ns is None:
            return -1.0
        return (now.steady_ns - self._verdict_steady_ns) / NS_PER_S

    def problems(self, now: Now) -> list[Problem]:
        """List what stands against a release right now."""
        found = [
            self._description_problem(), self._joint_problem(now), self._beat_problem(now)]
        if self._beat is not None:
            found += [self._image_problem(now), self._calibration_problem()]
        return [problem for problem in found if problem is not None]

    def _description_problem(self) -> Problem | None:
        if self.has_description:
            return None
        return Problem(
            Reason.LIMIT, 'no usable robot description yet on '
            f'{self.config.robot_description_topic}: its limits are not known')

    def _joint_problem(self, now: Now) -> Problem | None:
        if 0.0 <= self.joint_age_s(now) < _HOLD_MARGIN * self.config.joint_state_timeout:
            return None
        if self._joints_fault is not None:
            return self._joints_fault
        if self._joints is None:
            return Problem(Reason.STALE_JOINTS, 'no joint_states yet')
        return Problem(
            Reason.STALE_JOINTS, f'joint_states are {self.joint_age_s(now):.2f} s old; '
            f'joint_state_timeout is {self.config.joint_state_timeout} s')

    def _beat_problem(self, now: Now) -> Problem | None:
        if self._beat is None:
            words = 'no predictor heartbeat yet' if self._progress is None else (
                'no progress of the predictor yet')
            return Problem(Reason.PREDICTOR_LOST, self._lost_text or words)
        age = self.heartbeat_age_s(now)
        if age < self.config.heartbeat_timeout:
            return None
        return Problem(
            Reason.PREDICTOR_LOST, f'no progress of the predictor for {age:.2f} s; '
            f'heartbeat_timeout is {self.config.heartbeat_timeout} s')

    def _image_problem(self, now: Now) -> Problem | None:
        age = self.image_age_s(now)
        if 0.0 <= age < self.config.image_timeout:
            return None
        words = 'no camera frame yet' if age < 0.0 else (
            f'the newest camera frame is {age:.2f} s old; image_timeout is '
            f'{self.config.image_timeout} s')
        said = self._beat.message if self._beat is not None else ''
        return Problem(Reason.STALE_IMAGE, f'{words} ({said})' if said else words)

    def _calibration_problem(self) -> Problem | None:
        if self._beat is None or self._beat.is_calibrated or not self.config.is_enforcing:
            return None
        return Problem(
            Reason.UNCALIBRATED, 'the model is not calibrated; calibrate it or use mode shadow')

    def _judge_joints(self, sample: JointSample, now: Now) -> Problem | None:
        size = len(sample.names)
        if sample.positions.shape != (size,) or sample.velocities.shape != (size,):
            return Problem(
                Reason.STALE_JOINTS, f'joint_states have {sample.positions.size} positions and '
                f'{sample.velocities.size} velocities for {size} names')
        kept = tuple(name for name in sample.names if name in self.config.joint_names)
        order = column_order(kept, self.config.joint_names)
        if isinstance(order, str):
            return Problem(Reason.STALE_JOINTS, f'joint_states: {order}')
        if not (np.isfinite(sample.positions).all() and np.isfinite(sample.velocities).all()):
            return Problem(Reason.STALE_JOINTS, 'joint_states hold a number that is not finite')
        age_s = (now.ros_ns - sample.stamp_ns) / NS_PER_S
        if not math.isfinite(age_s) or age_s < -self.config.max_future_skew:
            return Problem(
                Reason.TIME_SYNC, f'joint_states are stamped {-age_s:.3f} s in the future; '
                f'max_future_skew is {self.config.max_future_skew} s')
        if age_s >= self.config.joint_state_timeout:
            return Problem(
                Reason.STALE_JOINTS, f'joint_states are stamped {age_s:.3f} s ago; '
                f'joint_state_timeout is {self.config.joint_state_timeout} s')
        hidden_s = self._standstill.hidden_ns / NS_PER_S
        if max(0.0, age_s) + hidden_s >= self.config.joint_state_timeout:
            return Problem(
                Reason.STALE_JOINTS, f'joint_states are stamped {age_s:.3f} s ago, but the clock '
                f'was set back while the gate stood still and may hide {hidden_s:.3f} s; '
                f'joint_state_timeout is {self.config.joint_state_timeout} s')
        return None
