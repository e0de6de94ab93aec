# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of what comes from the robot's joints and from the policy."""

import json
import math
import time
from collections.abc import Callable

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Reason
from wm_ros.faults.judging import Findings, reason_names
from wm_ros.msg import GateState
from wm_ros.ros.faults_rig import TICK_S, Rig
from wm_ros.ros.gate_messages import ns_to_time
from wm_ros.ros.observer_holds import looks_like_hold

_S = 1_000_000_000
# Of the gate's joint_state_timeout: it holds while the joints still serve for a hold.
_HOLD_SHARE = 0.75


def joints_stop(rig: Rig, found: Findings) -> None:
    """Permute the joints, then leave one out, then send none."""
    timeout_s = rig.calls.parameter(rig.gate_name, 'joint_state_timeout')

    def permute(message: JointState) -> JointState:
        message.name = list(reversed(message.name))
        message.position, message.velocity = message.position[::-1], message.velocity[::-1]
        return message

    def shorten(message: JointState) -> JointState:
        return JointState(header=message.header, name=list(message.name)[1:],
                          position=message.position[1:], velocity=message.velocity[1:])

    rig.robot.change_joints = permute
    found.check(rig.releases(), 'released with permuted joints')
    for words, change in (('without a joint', shorten), ('none', lambda message: None)):
        found.need(rig.releases(), f'running before joints {words}')
        since_ns, rig.robot.change_joints = time.time_ns(), change
        took_s, state = rig.stop_after(since_ns)
        found.within(took_s, _HOLD_SHARE * timeout_s + TICK_S, f'stop, joints {words}')
        found.check(state is not None and state.state == GateState.HOLD,
                    'it is HOLD: there were joints to hold at')
        found.reason(state.reasons if state else 0, Reason.STALE_JOINTS)
        rig.robot.change_joints = lambda message: message


def joints_nan(rig: Rig, found: Findings) -> None:
    """Send joints that are not numbers."""
    def spoil(message: JointState) -> JointState:
        message.position[1] = math.nan
        return message

    since_ns, rig.robot.change_joints = time.time_ns(), spoil
    _, state = rig.stop_after(since_ns)
    found.check(state is not None, 'stopped')
    found.reason(state.reasons if state else 0, Reason.STALE_JOINTS)
    found.says(state.message if state else '', 'not finite')
    held = [message for at_ns, message in list(rig.observer.outputs) if at_ns >= since_ns]
    found.check(bool(held) and all(map(math.isfinite, held[-1].points[-1].positions)),
                'the hold is finite')


def command_not_finite(rig: Rig, found: Findings) -> None:
    """Send commands whose numbers are none, or none that a joint can reach."""
    for value, text in ((math.nan, 'nan'), (math.inf, 'inf'), (-math.inf, '-inf'),
                        (1e308, '1e+308')):
        message = rig.path()
        message.points[-1].positions[2] = value
        _expect_refusal(rig, found, message, text)


def command_malformed(rig: Rig, found: Findings) -> None:
    """Send commands that are no trajectories of this robot."""
    def change(text: str, act: Callable[[JointTrajectory], object]) -> None:
        message = rig.path()
        act(message)
        _expect_refusal(rig, found, message, text)

    def swap_times(message: JointTrajectory) -> None:
        message.points[0], message.points[1] = message.points[1], message.points[0]

    change('unknown', lambda m: m.joint_names.__setitem__(0, 'nose'))
    change('missing', lambda m: m.joint_names.pop())
    change('positions for', lambda m: m.points[1].positions.pop())
    change('twice', lambda m: m.joint_names.__setitem__(0, m.joint_names[1]))
    change('increase', swap_times)
    change('empty', lambda m: m.points.clear())


def command_stamps(rig: Rig, found: Findings) -> None:
    """Stamp commands in the future, in the past, and not at all."""
    for offset_s, text in ((1.0, 'future'), (-10.0, 'old')):
        message = rig.path()
        message.header.stamp = ns_to_time(time.time_ns() + round(offset_s * _S))
        _expect_refusal(rig, found, message, text)
    found.check(rig.releases(), 'a command with stamp 0 is released')


def command_burst(rig: Rig, found: Findings) -> None:
    """Send a thousand commands a second and look at the gate's memory, counts and ticks."""
    memory, before, begin_ns = rig.memory_mib('wm_gate'), rig.observer.state, time.time_ns()
    plan = {'start': rig.robot.state()[0].tolist(), 'count': 3000, 'rate_hz': 1000.0}
    policy = rig.starter.start('burst_policy', 'wm_ros.ros.faults_burst', [json.dumps(plan)],
                               reads_output=True)
    try:
        text, _ = policy.communicate(timeout=60.0)
    finally:
        rig.starter.kill('burst_policy')
    if not found.need(policy.returncode == 0, 'the policy ended early'):
        return
    sent = json.loads(text)
    passages = rig.observer.ledger.passages
    found.need(rig.wait(lambda: len(passages) >= sent['count'], 60.0),
               f'the observer has seen {len(passages)} commands')
    time.sleep(1.0)
    asked = [passage.chunk_id for passage in list(passages) if passage.chunk_id]
    found.check(bool(asked) and asked == sorted(asked),
                f"{sent['count']} commands in {sent['took_s']:.1f} s, {len(asked)} of them put to "
                'the predictor, each newer than the one before')
    grown = rig.memory_mib('wm_gate') - memory
    found.check(grown < 20.0, f'memory of the gate grew by {grown:.1f} MiB')
    times = [at_ns for at_ns, _ in list(rig.observer.states) if at_ns >= begin_ns]
    gap_s = max((b - a for a, b in zip(times, times[1:], strict=False)), default=9 * _S) / _S
    found.check(gap_s < 0.5, f'the gate reported its state at least every {1e3 * gap_s:.0f} ms')
    time.sleep(0.3)
    after = rig.observer.state
    dropped = after.dropped - before.dropped if after and before else 0
    found.check(dropped > 0, f'dropped counts {dropped}')


def policy_dies(rig: Rig, found: Findings) -> None:
    """Send a chunk and nothing after it."""
    sent_ns = rig.send_harmless(0.8)
    if not found.check(rig.was_released(sent_ns), 'the chunk was released'):
        return
    released_ns = rig.observer.last_output_ns()
    time.sleep(2.0)
    later = [message for at_ns, message in list(rig.observer.outputs) if at_ns > released_ns]
    found.check(len(later) <= 1 and all(map(looks_like_hold, later)),
                f"{len(later)} messages on the controller's topic afterwards")
    found.check(rig.robot.is_at_rest, 'the arm is at rest')


def _expect_refusal(rig: Rig, found: Findings, message: JointTrajectory, text: str) -> None:
    """Send a command that must not go out, and have the gate running again afterwards."""
    if not found.need(rig.releases(), f'running before {text}'):
        return
    sent_ns = rig.send(message)
    _, state = rig.stop_after(sent_ns)
    found.check(state is not None and not rig.was_released(sent_ns, 0.2),
                f'{text}: held, not released')
    said = state.message if state else ''
    mask = Reason(state.reasons if state else 0)
    has_reason = bool(mask & (Reason.BAD_COMMAND | Reason.LIMIT | Reason.TIME_SYNC))
    found.check(has_reason, f'reason {reason_names(int(mask))}')
    found.says(said, text)


ROWS = (joints_stop, joints_nan, command_not_finite, command_malformed, command_stamps,
        command_burst, policy_dies)
