# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The independent listener of a walk: what came, when, and whether anybody could rely on it."""

from typing import Any

from rclpy.logging import LoggingSeverity
from rclpy.qos import DurabilityPolicy
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.faults.campaign_judge import Record, Report, Violation
from wm_ros.faults.campaign_timeline import Timeline
from wm_ros.msg import ActionChunk, GateState, PredictorStatus
from wm_ros.ros.campaign_ledger import CampaignLedger
from wm_ros.ros.faults_observer import FaultObserver

# In the frame_id of what the robot or the policy sends wrong on purpose. The gate reads no
# frame_id, so that the mark changes nothing for it.
WRONG = 'wrong on purpose'
_IMAGE_TIMEOUT_S = 0.5
_COMMAND_TOPIC = 'arm_controller/joint_trajectory'


class CampaignObserver(FaultObserver):
    """
    A fault observer whose ledger knows of many verdicts and of clocks that step.

    **Subscribes** as the fault observer.
    """

    ledger: CampaignLedger

    def __init__(self, **arguments: Any) -> None:
        self._reports: list[Report] = []
        self._progress = -1
        super().__init__(**arguments)
        self.ledger = CampaignLedger()
        # Commands that cannot be read are sent by the dozen.
        self.get_logger().set_level(LoggingSeverity.ERROR)

    @property
    def timeline(self) -> Timeline:
        """Return what is done to clocks and processes in the present walk."""
        return self.ledger.timeline

    def clear(self) -> None:
        """Begin a new walk; only what the robot and the predictor are is still known."""
        super().clear()
        self._reports = []
        for kept in (self.states, self.outputs, self.verdicts, self.reports, self.logs,
                     self.beats):
            kept.clear()

    def record(self) -> Record:
        """Return everything since ``clear``; the ledger is settled."""
        ledger = self.ledger
        return Record(outputs=ledger.outputs, reports=self._reports, beats=ledger.beats,
                      joints=ledger.usable_joints)

    def durability(self) -> list[Violation]:
        """Invariant 7: whoever writes the controller's topic offers it volatile."""
        ends = self.get_publishers_info_by_topic(self.resolve_topic_name(_COMMAND_TOPIC))
        return [Violation(invariant='7', words=(
            f'{end.node_name} offers {_COMMAND_TOPIC} as {end.qos_profile.durability.name}'))
            for end in ends if end.qos_profile.durability is not DurabilityPolicy.VOLATILE]

    def _on_command(self, message: JointTrajectory, at_ns: int) -> None:
        if message.header.frame_id.startswith(WRONG):
            self.ledger.forbid(at_ns, message.header.frame_id)
        super()._on_command(message, at_ns)

    def _on_output(self, message: JointTrajectory, at_ns: int) -> None:
        self.ledger.source_ns, self.ledger.has_missed = self.source_ns, self.has_missed
        super()._on_output(message, at_ns)

    def _on_chunk(self, message: ActionChunk, at_ns: int) -> None:
        self.ledger.source_ns = self.source_ns
        self.ledger.note_chunk_source(message.chunk_id)
        super()._on_chunk(message, at_ns)

    def _on_joints(self, message: JointState, at_ns: int) -> None:
        if message.header.frame_id.startswith(WRONG):
            return
        self.ledger.usable_joints.append(at_ns)
        super()._on_joints(message, at_ns)

    def _on_state(self, message: GateState, at_ns: int) -> None:
        self._reports.append(Report(at_ns, self.source_ns, message.state, message.message))
        super()._on_state(message, at_ns)

    def _on_beat(self, message: PredictorStatus, at_ns: int) -> None:
        has_progress = message.progress != self._progress
        self._progress = message.progress
        if has_progress and message.calibrated and 0.0 <= message.image_age < _IMAGE_TIMEOUT_S:
            self.ledger.beats.append(at_ns)
        super()._on_beat(message, at_ns)
