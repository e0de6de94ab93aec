# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode of the demo: reset, propose, rehearse, send, see what comes of it."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import CommandInterface, Decision, Reason, Verdict
from wm_ros.gate.digest import digest_trajectory
from wm_ros.msg import Contacts
from wm_ros.ros import qos
from wm_ros.ros.demo_wire import Wire
from wm_ros.ros.observer import Observer
from wm_ros.ros.observer_ledger import Passage
from wm_ros.ros.predictor_messages import message_to_trajectory
from wm_ros.srv import Rehearse

SIMULATION = '/so101_sim'
POLICY = '/play_policy'
# A chunk lasts 0.8 s; the arm needs a moment more to come to rest.
MOTION_S = 0.85
REST_TIMEOUT_S = 1.0
REST_VELOCITY = 0.05
OUTCOME_TIMEOUT_S = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRecord:
    """
    What became of one command.

    :param first_hazard_s: of its rehearsal, after its start, s; None if it is harmless.
    :param is_released: it reached the controller.
    :param decision: name of the verdict's decision, '' if there was no verdict.
    :param reasons: names of the verdict's reasons.
    :param release_ms: from the policy's command to its release, ms.
    :param verdict_ms: from the policy's command to the verdict, ms.
    :param num_frames: predicted frames that were drawn.
    :param predict_s: from the chunk to those frames, s.
    """

    phase: str
    episode: int
    index: int
    first_hazard_s: float | None
    is_released: bool
    decision: str = ''
    reasons: tuple[str, ...] = ()
    message: str = ''
    risk: float | None = None
    risk_threshold: float | None = None
    release_ms: float | None = None
    verdict_ms: float | None = None
    num_frames: int = 0
    predict_s: float | None = None

    def to_event(self) -> dict[str, Any]:
        """Return the record as an event for the demo's main process."""
        return {'event': 'command', **asdict(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A command under way."""

    passage: Passage | None
    sent_ns: int
    first_hazard_s: float | None


class Stage:
    """
    The robot and the policy as the demo sees them; belongs to the executor's thread.

    :param node: who asks.
    :param observer: spun together with the node.
    """

    def __init__(self, node: Node, observer: Observer) -> None:
        self.node, self.observer = node, observer
        self.wire = Wire(node, observer)
        self.has_collided = False
        self._proposals: list[JointTrajectory] = []
        self._speed = np.inf
        node.create_subscription(
            JointTrajectory, f'{POLICY}/proposal', self._on_proposal, qos.COMMAND_IN)
        node.create_subscription(
            Contacts, f'{SIMULATION}/contacts', self._on_contacts, qos.CONTACTS)
        node.create_subscription(JointState, 'joint_states', self._on_joints, qos.JOINT_STATES)

    def reset(self, seed: int, command_topic: str) -> None:
        """Put up the scene of a seed and let the policy begin it."""
        self.wire.set_parameters(SIMULATION, seed=seed)
        self.wire.trigger(f'{SIMULATION}/reset')
        self.wire.set_parameters(POLICY, seed=seed, command_topic=command_topic)
        self.wire.trigger(f'{POLICY}/reset')
        # Long enough for objects to settle and for two fresh frames 0.1 s apart.
        self.wire.spin_for(0.4)
        self.has_collided = False

    def send_next(self, *, is_watched: bool) -> Sent:
        """
        Let the policy propose a command, rehearse it, and have it sent.

        :param is_watched: wait until the observer has seen it.
        """
        self._proposals.clear()
        self.wire.trigger_when_ready(f'{POLICY}/propose')
        self.wire.wait(lambda: bool(self._proposals), 5.0, lambda: 'the policy is silent')
        proposal = self._proposals[-1]
        truth = self.wire.call(
            Rehearse, f'{SIMULATION}/rehearse', Rehearse.Request(trajectory=proposal))
        first_hazard_s = truth.first_hazard_s if truth.hazard else None
        sent_ns = time.time_ns()
        self.wire.trigger(f'{POLICY}/send')
        passage = self._find(proposal) if is_watched else None
        return Sent(passage, sent_ns, first_hazard_s)

    def wait_rest(self) -> None:
        """Wait until the motion is over and the arm is at rest, or leans on what it hit."""
        self.wire.spin_for(MOTION_S)
        self.wire.spin_while(
            lambda: not self.has_collided and self._speed > REST_VELOCITY, REST_TIMEOUT_S)

    def wait_outcome(self, passage: Passage, *, is_enforcing: bool) -> None:
        """Wait until a command was released, or refused, or nothing came of it."""
        def is_open() -> bool:
            self.observer.settle()
            is_refused = passage.verdict is not None and not is_permission(passage.verdict)
            return not passage.release_ns and not (is_refused and is_enforcing)

        self.wire.spin_while(is_open, OUTCOME_TIMEOUT_S)

    def _find(self, proposal: JointTrajectory) -> Passage:
        digest = digest_trajectory(
            message_to_trajectory(proposal), CommandInterface.JOINT_TRAJECTORY)

        def newest() -> Passage | None:
            return next((p for p in reversed(self.observer.ledger.passages)
                         if p.digest == digest), None)

        self.wire.wait(lambda: newest() is not None, 5.0,
                       lambda: "the policy's command did not reach the gate's topic")
        passage = newest()
        assert passage is not None
        return passage

    def _on_proposal(self, message: JointTrajectory) -> None:
        self._proposals.append(message)

    def _on_contacts(self, message: Contacts) -> None:
        self.has_collided = self.has_collided or message.hazard

    def _on_joints(self, message: JointState) -> None:
        self._speed = float(np.abs(message.velocity).max(initial=0.0))


def is_permission(verdict: Verdict) -> bool:
    """Say whether a verdict allows a release."""
    return verdict.decision in (Decision.OK, Decision.SLOW)


def make_record(phase: str, episode: int, index: int, sent: Sent) -> CommandRecord:
    """Write down what became of a command, from what was seen on the wire."""
    passage = sent.passage
    if passage is None:
        return CommandRecord(phase=phase, episode=episode, index=index,
                             first_hazard_s=sent.first_hazard_s, is_released=True)
    verdict = passage.verdict
    return CommandRecord(
        phase=phase, episode=episode, index=index, first_hazard_s=sent.first_hazard_s,
        is_released=bool(passage.release_ns), release_ms=passage.release_ms,
        decision=verdict.decision.name if verdict else '',
        reasons=tuple(r.name or '' for r in Reason if r and verdict and r & verdict.reasons),
        message=verdict.message if verdict else '', risk=verdict.risk if verdict else None,
        risk_threshold=verdict.risk_threshold if verdict else None,
        verdict_ms=(passage.verdict_ns - passage.received_ns) / 1e6 if verdict else None,
        num_frames=passage.num_frames, predict_s=(
            (passage.prediction_ns - passage.chunk_ns) / 1e9
            if passage.num_frames and passage.chunk_ns else None))
