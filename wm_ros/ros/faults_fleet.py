# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random messages, and two robots in one graph."""

import time
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.faults.judging import Findings
from wm_ros.msg import PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_robot import JOINTS

_NUM_FUZZ = 400
_ODD = (0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, 5e-324, 1e3)
_NAMES = (*JOINTS, '', 'nose', JOINTS[0])


class _Fuzz:
    """Make messages of random fields from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def number(self) -> float:
        odd = self._rng.random() < 0.5
        return float(self._rng.choice(_ODD)) if odd else float(self._rng.normal())

    def numbers(self) -> list[float]:
        return [self.number() for _ in range(self._count())]

    def words(self) -> list[str]:
        if self._rng.random() < 0.5:
            return list(JOINTS)
        return [str(self._rng.choice(_NAMES)) for _ in range(self._count())]

    def whole(self, high: int) -> int:
        return int(self._rng.choice((0, 1, high, int(self._rng.integers(0, high)))))

    def stamp(self, message: Any) -> Any:
        message.header.stamp.sec = self.whole(2**31 - 1)
        message.header.stamp.nanosec = self.whole(2**32 - 1)
        return message

    def joints(self) -> JointState:
        return self.stamp(JointState(
            name=self.words(), position=self.numbers(), velocity=self.numbers()))

    def trajectory(self) -> JointTrajectory:
        message = self.stamp(JointTrajectory(joint_names=self.words()))
        for _ in range(int(self._rng.integers(0, 4))):
            point = JointTrajectoryPoint(positions=self.numbers(), velocities=self.numbers())
            point.time_from_start.sec = self.whole(2**31 - 1)
            point.time_from_start.nanosec = self.whole(2**32 - 1)
            message.points.append(point)
        return message

    def array(self) -> Float64MultiArray:
        return Float64MultiArray(data=self.numbers())

    def verdict(self) -> Verdict:
        message = self.stamp(Verdict(
            chunk_id=self.whole(2**63), decision=self.whole(255), reasons=self.whole(2**32 - 1),
            digest=[self.whole(255) for _ in range(16)], first_unsafe_step=-1,
            stage_ms=[0.0] * self._count()))
        for name in ('horizon', 'risk', 'risk_threshold', 'speed_factor', 'uncertainty'):
            value = self.number()
            setattr(message, name, value if abs(value) < 1e38 or not np.isfinite(value) else 0.0)
        message.valid_until.sec = self.whole(2**31 - 1)
        return message

    def beat(self) -> PredictorStatus:
        return self.stamp(PredictorStatus(
            progress=self.whole(2**63), calibrated=bool(self._rng.integers(2)),
            image_age=self.number(), joint_age=self.number()))

    def flag(self) -> Bool:
        return Bool(data=bool(self._rng.integers(2)))

    def _count(self) -> int:
        return int(self._rng.choice((0, 1, len(JOINTS), 7)))


def fuzz(rig: Rig, found: Findings) -> None:
    """Send random messages on every topic that the gate hears, then work as before."""
    make, node, begin_ns = _Fuzz(41), rig.node, time.time_ns()
    doors = [(node.create_publisher(kind, topic, profile), build) for kind, topic, profile, build
             in ((JointState, 'joint_states', qos.JOINT_STATES_OUT, make.joints),
                 (JointTrajectory, 'wm_gate/joint_trajectory', qos.COMMAND_IN, make.trajectory),
                 (Float64MultiArray, 'wm_gate/commands', qos.COMMAND_IN, make.array),
                 (Verdict, 'wm_predictor/verdict', qos.VERDICT, make.verdict),
                 (PredictorStatus, 'wm_predictor/heartbeat', qos.HEARTBEAT, make.beat),
                 (Bool, 'emergency_stop', qos.EMERGENCY_STOP, make.flag),
                 (Bool, 'wm_gate/bypass', qos.BYPASS, make.flag))]
    rig.need(lambda: all(door.get_subscription_count() for door, _ in doors), 10.0,
             lambda: 'the gate does not listen to every topic')
    for number in range(_NUM_FUZZ):
        for door, build in doors:
            # The e-stop would keep the rest from being looked at.
            if build != make.flag or number % 50 == 0:
                door.publish(build())
        if number % 50 == 0:
            doors[5][0].publish(Bool(data=False))
            rig.calls.call(Trigger, f'{rig.gate_name}/clear_emergency_stop', Trigger.Request())
        time.sleep(0.005)
    for door, _ in doors:
        node.destroy_publisher(door)
    rig.starter.check()
    errors = [text for word in ('Traceback', 'exception in the gate')
              for text in rig.observer.logs_since(begin_ns, word)]
    found.check(not errors, f'{len(errors)} exceptions in the log of the gate '
                            f'after {_NUM_FUZZ * len(doors)} messages' + ''.join(errors[:1]))
    rig.arm()
    found.check(True, 'released as before')


def two_robots(rig: Rig, found: Findings) -> None:
    """Start a second robot in a namespace and see that neither hears the other."""
    other = rig.sibling('/left')
    try:
        other.start_all()
        other.arm()
        found.check(rig.releases(), 'both release')
        for one, two in ((rig, other), (other, rig)):
            before = len(two.observer.outputs)
            found.check(one.was_released(one.send_harmless()), f'{_name(one)} releases its own')
            time.sleep(0.3)
            found.check(len(two.observer.outputs) == before, f'{_name(two)} sees nothing of it')
        service = f'{other.gate_name}/emergency_stop'
        found.check(other.calls.call(Trigger, service, Trigger.Request()).success,
                    f'{_name(other)} is stopped')
        found.check(rig.was_released(rig.send_harmless()), f'{_name(rig)} goes on')
        found.check(not other.was_released(other.send_harmless(), 0.5),
                    f'{_name(other)} does not')
        for problem in other.unverified():
            found.check(False, problem)
    finally:
        other.kill('wm_gate')
        other.close()


def _name(rig: Rig) -> str:
    return rig.namespace or 'the first robot'


ROWS = (fuzz, two_robots)
