# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate still allows while it holds for a risk."""

import time

import numpy as np
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Reason
from wm_ros.faults.judging import Findings
from wm_ros.msg import GateState, Verdict
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.observer_holds import looks_like_hold

_DEPTH_RAD = 0.4
_STEP_RAD, _STAY_RAD, _SECONDS = 0.3, 0.001, 0.8
_MOST_TRIES = 40
_PERIOD_S, _TIMEOUT_NS = 0.1, 20_000_000_000
_NS = 1e-9


def escape(rig: Rig, found: Findings) -> None:
    """Let the arm be in a risk, and ask to stay, to go in, out, and out after an e-stop."""
    limit = rig.calls.parameter(rig.gate_name, 'escape_max_velocity')
    wall = _raise_wall(rig)
    if not found.need(_is_refused(rig, _STAY_RAD, is_patient=True), 'the risk is not seen'):
        return
    found.check(_is_refused(rig, _STEP_RAD), 'further in: HOLD, reason RISK')
    found.check(_is_refused(rig, _STAY_RAD), 'to stay: refused as well')
    begin_ns, speeds = time.time_ns(), []
    while _place(rig) >= wall and time.time_ns() - begin_ns < _TIMEOUT_NS:
        message = _release_after(rig, rig.send(rig.path(-_STEP_RAD, _SECONDS)))
        if message is not None:
            speeds.append(_speed(message))
        time.sleep(_PERIOD_S)
    escapes = [verdict for at_ns, verdict in list(rig.observer.verdicts)
               if at_ns >= begin_ns and verdict.reasons & int(Reason.ESCAPE)]
    found.check(bool(escapes) and all(
        verdict.decision == Verdict.SLOW and verdict.risk >= verdict.risk_threshold
        for verdict in escapes), f'{len(escapes)} verdicts: away from a risk, SLOW')
    found.check(bool(speeds) and speeds[0] <= limit + 1e-3,
                f'away: released at {speeds[0] if speeds else 0:.3f} rad/s (at most {limit})')
    found.check(_place(rig) < wall, 'the arm came out of the risk')
    found.check(rig.releases(), 'then commands are released as before')
    _stop_inside(rig, found)


def _stop_inside(rig: Rig, found: Findings) -> None:
    """Be in a risk again, press the e-stop, and ask to go out."""
    _raise_wall(rig)
    found.check(_is_refused(rig, _STAY_RAD, is_patient=True), 'in a risk again: refused')
    rig.calls.call(Trigger, f'{rig.gate_name}/emergency_stop', Trigger.Request())
    found.check(rig.wait(lambda: _state(rig) == GateState.ESTOP, 5.0), 'ESTOP')
    is_out = any(_release_after(rig, rig.send(rig.path(-_STEP_RAD, _SECONDS)), 0.3)
                 for _ in range(5))
    found.check(not is_out, 'nothing is released after an e-stop')


def _raise_wall(rig: Rig) -> float:
    """Let a risk be where the arm is, and return where it ends, rad; the arm stays."""
    wall = _place(rig) - _DEPTH_RAD
    rig.behave(f'wall {wall}')
    return wall


def _place(rig: Rig) -> float:
    return float(rig.robot.state()[0][1])


def _state(rig: Rig) -> int:
    return int(rig.observer.state.state) if rig.observer.state is not None else 0


def _is_refused(rig: Rig, step_rad: float, *, is_patient: bool = False) -> bool:
    """
    Send a command until the model has refused it; tell whether it did and the gate holds.

    :param is_patient: what is released before does not count: the risk may not be seen yet.
    """
    for _ in range(_MOST_TRIES):
        sent_ns = rig.send(rig.path(step_rad, _SECONDS))
        if _release_after(rig, sent_ns, 0.3) is not None and not is_patient:
            return False
        state = rig.observer.state
        if state is not None and state.state == GateState.HOLD and (
                state.reasons == int(Reason.RISK)) and rig.observer.state_ns > sent_ns:
            return True
    return False


def _release_after(rig: Rig, sent_ns: int, timeout_s: float = 0.5) -> JointTrajectory | None:
    """Wait for what comes of a command; None if it is not released."""
    rig.wait(lambda: any(at_ns >= sent_ns for at_ns, _ in list(rig.observer.outputs)), timeout_s)
    at_ns = rig.observer.last_output_ns()
    message = rig.observer.outputs[-1][1]
    is_hold = at_ns < sent_ns or looks_like_hold(message)
    return None if is_hold else message


def _speed(message: JointTrajectory) -> float:
    """Return the highest speed of a released command between its points, rad/s."""
    times = np.array([p.time_from_start.sec + _NS * p.time_from_start.nanosec
                      for p in message.points])
    places = np.array([point.positions for point in message.points])
    return float(np.abs(np.diff(places, axis=0) / np.diff(times)[:, None]).max())


ROWS = (escape,)
