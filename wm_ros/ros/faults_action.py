# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals of FollowJointTrajectory that are cancelled, replaced, aborted or orphaned."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from wm_ros.faults.fault import NotMeasured
from wm_ros.faults.judging import Findings
from wm_ros.msg import ActionChunk, Verdict
from wm_ros.ros.faults_controller import ACTION, FaultController
from wm_ros.ros.faults_goals import ABORTED, CANCELED, SUCCEEDED, FaultClient, GoalEnds
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.gate_action import load_follow_joint_trajectory

_CLIENT = 'goal_client'
_STEP_RAD, _SHORT_S, _LONG_S = 0.04, 0.4, 3.0
_LONG_STEP_RAD, _LONG_POINTS = 0.3, 30
_PATIENCE_S, _LATE_S = 3.0, 1.0
# A death without farewell is known when the lease of the DDS profile is over.
_LEASE_S = 20.0
_WORDS = 'joint shoulder_lift is off its path'


def action_proxy(rig: Rig, found: Findings) -> None:
    """Send goals through the gate, and let everything happen to them that can."""
    try:
        load_follow_joint_trajectory()
    except ValueError as error:
        raise NotMeasured(str(error)) from error
    before_s = rig.calls.parameter(rig.gate_name, 'decision_timeout')
    _set_up(rig, action=f'/{ACTION}', timeout_s=_PATIENCE_S)
    stage: _Stage | None = None
    try:
        stage = rig.on_actors(lambda: _Stage.build(rig))
        stage.client.wait()
        # While its action server was made, the robot had no time to tell its joints.
        if not found.need(rig.releases(), 'released with a controller'):
            return
        for act in (_done, _cancelled_early, _cancelled_late, _preempted, _aborted, _unserved,
                    _orphaned):
            act(stage, found)
            # Whatever became of a goal, nothing of it may still run.
            rig.wait(lambda: not stage.controller.is_active, 2.0)
            found.need(not stage.controller.is_active,
                       f'{act.__name__.strip("_")}: a goal runs on at the controller')
            if not found.need(rig.releases(), f'{act.__name__.strip("_")}: released again'):
                return
        rig.wait(lambda: not stage.ends.broken, 2.0)
        found.check(not stage.ends.broken, '; '.join(stage.ends.broken) or
                    f'{stage.ends.num_ended} goals, each with one terminal state')
    finally:
        if stage is not None:
            rig.on_actors(stage.close)
        _set_up(rig, action='', timeout_s=before_s)


@dataclass(slots=True)
class _Stage:
    rig: Rig
    controller: FaultController
    client: FaultClient
    ends: GoalEnds

    @classmethod
    def build(cls, rig: Rig) -> '_Stage':
        return cls(rig, FaultController(rig.robot), FaultClient(rig), GoalEnds(rig.node))

    def close(self) -> None:
        for part in (self.client, self.controller, self.ends):
            part.close()

    def begin(self) -> object:
        """Send a long goal and wait until the controller runs it."""
        count, rig = self.controller.num_goals, self.rig
        handle = self.client.send(_LONG_STEP_RAD, _LONG_S)
        rig.need(lambda: self.controller.num_goals > count, 5.0,
                 lambda: f'nothing is let go: {rig.words()}')
        return handle


def _set_up(rig: Rig, *, action: str, timeout_s: float) -> None:
    rig.calls.bring_to(rig.gate_name, 'unconfigured')
    rig.calls.set_together(
        rig.gate_name, follow_joint_trajectory_action=action, decision_timeout=timeout_s)
    rig.arm()


def _done(stage: _Stage, found: Findings) -> None:
    status, words = stage.client.result(stage.client.send(_STEP_RAD, _SHORT_S))
    found.check(status == SUCCEEDED and stage.controller.num_goals > 0,
                f'a goal ends well ({status} {words!r})')


def _cancelled_early(stage: _Stage, found: Findings) -> None:
    predictor, count = stage.rig.predictor, stage.controller.num_goals
    assert predictor is not None, 'the row runs with the protocol-only predictor'

    def late(chunk: ActionChunk) -> Iterable[tuple[float, Verdict]]:
        return [(_LATE_S, predictor.verdict(chunk, valid_s=2 * _PATIENCE_S))]

    predictor.answer = late
    handle = stage.client.send(_STEP_RAD, _SHORT_S)
    time.sleep(0.2)
    num_cancelled = stage.client.cancel(handle)
    status, _ = stage.client.result(handle)
    time.sleep(_LATE_S + 0.3)
    predictor.heal()
    found.check(num_cancelled == 1 and status == CANCELED, 'cancelled before the verdict')
    found.check(stage.controller.num_goals == count, 'the late verdict let nothing go')


def _cancelled_late(stage: _Stage, found: Findings) -> None:
    handle = stage.begin()
    num_cancelled = stage.client.cancel(handle)
    status, _ = stage.client.result(handle)
    found.check(num_cancelled == 1 and status == CANCELED, 'cancelled after the verdict')
    found.check(stage.controller.ends[-1:] == [CANCELED], 'cancelled at the controller too')


def _preempted(stage: _Stage, found: Findings) -> None:
    first = stage.begin()
    second = stage.client.send(_STEP_RAD, _SHORT_S)
    status, words = stage.client.result(first)
    found.check(status == ABORTED, 'a newer goal aborts the first')
    found.says(words, 'preempted by a newer goal')
    found.check(stage.client.result(second)[0] == SUCCEEDED, 'and ends well itself')


def _aborted(stage: _Stage, found: Findings) -> None:
    handle = stage.begin()
    stage.rig.on_actors(lambda: stage.controller.abort(_WORDS))
    status, words = stage.client.result(handle)
    found.check(status == ABORTED, 'what the controller aborts is aborted')
    found.says(words, _WORDS)


def _unserved(stage: _Stage, found: Findings) -> None:
    handle = stage.begin()
    stage.rig.on_actors(stage.controller.close)
    status, words = stage.client.result(handle)
    found.check(status == ABORTED, 'a controller that goes away ends the goal')
    found.says(words, 'action server of the controller is gone')
    found.need(stage.rig.releases(), 'released again by the topic')
    status, words = stage.client.result(stage.client.send(_STEP_RAD, _SHORT_S))
    found.check(status == ABORTED, 'a goal without a controller is refused')
    found.says(words, 'no action server')
    stage.controller = stage.rig.on_actors(lambda: FaultController(stage.rig.robot))
    # Until the gate has found the new one it refuses.
    stage.rig.need(
        lambda: stage.client.result(stage.client.send(_STEP_RAD, _SHORT_S))[0] == SUCCEEDED,
        20.0, lambda: 'the gate does not find the new controller')


def _orphaned(stage: _Stage, found: Findings) -> None:
    """Kill the client; the gate must not count the rig's own for it."""
    rig = stage.rig
    rig.on_actors(stage.client.close)
    here = rig.robot.state()[0].tolist()
    points = [(at, [*here[:1], here[1] + 0.01 * at, *here[2:]])
              for at in range(1, _LONG_POINTS + 1)]
    count = stage.controller.num_goals
    rig.starter.start(_CLIENT, 'wm_ros.ros.faults_goals', [json.dumps(points)])
    try:
        rig.need(lambda: stage.controller.num_goals > count, 60.0,
                 lambda: f'nothing of the mortal client is let go: {rig.words()}')
    finally:
        since = time.monotonic()
        rig.starter.kill(_CLIENT)
    is_over = rig.wait(lambda: not stage.controller.is_active and
                       stage.controller.ends[-1:] == [CANCELED], _LEASE_S)
    found.check(is_over, f'the goal of a dead client ended after {time.monotonic() - since:.1f} s')
    stage.client = rig.on_actors(lambda: FaultClient(rig))


ROWS = (action_proxy,)
