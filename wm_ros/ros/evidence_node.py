# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node that keeps evidence: the last seconds before each veto, as a file.

The main rule: it only listens. It has a process of its own, nothing waits for it, and files are
written by a thread, so that a slow disk touches neither gate nor predictor.
"""

import sys
import time
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_srvs.srv import Trigger as TriggerService

from wm_ros.data.evidence_buffer import EvidenceBuffer
from wm_ros.data.evidence_store import Case, EvidenceStore
from wm_ros.data.messages import NS_PER_S
from wm_ros.gate.config import GateConfig
from wm_ros.msg import ActionChunk, GateState, Prediction, PredictorStatus, Verdict
from wm_ros.ros import diagnostics, qos
from wm_ros.ros.evidence_config import EvidenceConfig
from wm_ros.ros.evidence_record import Open, make_record
from wm_ros.ros.evidence_topics import EvidenceTopics
from wm_ros.ros.evidence_trigger import Trigger
from wm_ros.ros.lifecycle import run
from wm_ros.ros.parameters import ConfigParameters, ParameterError
from wm_ros.ros.predictor_config import PredictorConfig
from wm_ros.ros.remote_parameters import RemoteParameters

_TICK_S, _DIAGNOSTICS_PERIOD_S = 0.1, 1.0
_BYTES_PER_MB = 1_000_000
# Deep queues: a listener must not lose what the depth of the nodes themselves would replace.
_EVERY = QoSProfile(depth=50)
_STATES = QoSProfile(depth=50, durability=qos.GATE_STATE_IN.durability)
_SAMPLES = QoSProfile(depth=100, reliability=qos.JOINT_STATES.reliability)
_FRAMES = QoSProfile(depth=20, reliability=qos.CAMERA_IN.reliability)


class EvidenceNode(Node):
    """
    wm_evidence: one MCAP file for each veto.

    **Subscribes** (as bytes; relative names)

    * each of camera_topics (sensor_msgs/Image, or with compressed transport its /compressed
      sensor_msgs/CompressedImage), joint_states (sensor_msgs/JointState)
    * wm_gate/action_chunk (wm_ros/ActionChunk), wm_gate/state (wm_ros/GateState),
      wm_predictor/verdict (wm_ros/Verdict), wm_predictor/heartbeat (wm_ros/PredictorStatus)
    * wm_predictor/refused_prediction (wm_ros/Prediction), if wants_frames: the predictor then
      draws the future of each refused command after its verdict
    * command_topics and extra_topics, of whatever type

    **Publishes** /diagnostics (diagnostic_msgs/DiagnosticArray, 1 Hz).

    **Services** ~/save (std_srvs/Trigger): write a file now.

    **Parameters**: see EvidenceConfig; all structural, directory has no default.

    **Threads**: the executor's, which owns everything but the store's thread, which writes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('wm_evidence', **kwargs)
        self._config = config = ConfigParameters(self, EvidenceConfig).build()
        self._trigger = Trigger(config.triggers)
        self._open: Open | None = None
        # What came while a file waits for its end must be there for the next one as well.
        self._buffer = EvidenceBuffer(
            span_s=config.span + config.after + 2 * _TICK_S,
            max_bytes=round(config.max_memory_mb * _BYTES_PER_MB))
        self._topics = EvidenceTopics(self, self._buffer)
        self._names = self._listen()
        self._others = {
            name: RemoteParameters(self, name, ['use_sim_time', *(
                item.name for item in fields(kind))])
            for name, kind in (('wm_gate', GateConfig), ('wm_predictor', PredictorConfig))}
        self._store = _make_store(config, self.get_logger())
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self.create_service(TriggerService, '~/save', self._on_save)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_TICK_S, self._tick, clock=steady)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._report, clock=steady)

    def destroy_node(self) -> None:
        """Write what waits, then destroy the node."""
        if self._open is not None:
            self._hand_over(self._open)
        self._store.close()
        super().destroy_node()

    def _listen(self) -> dict[str, Any]:
        """Subscribe; returns the full name of each topic by what it is."""
        config, topics = self._config, self._topics
        is_raw = config.image_transport == 'raw'
        kind, suffix = (Image, '') if is_raw else (CompressedImage, '/compressed')
        names: dict[str, Any] = {
            'cameras': {name: topics.listen(
                kind, topic + suffix, _FRAMES, is_measured=True) for name, topic in zip(
                    config.camera_names, config.camera_topics, strict=True)},
            'joint_states': topics.listen(
                JointState, 'joint_states', _SAMPLES, is_measured=True),
            'chunk': topics.listen(
                ActionChunk, 'wm_gate/action_chunk', _EVERY, self._trigger.see_chunk),
            'verdict': topics.listen(Verdict, 'wm_predictor/verdict', _EVERY, self._on_verdict),
            'state': topics.listen(GateState, 'wm_gate/state', _STATES, self._on_state),
            'heartbeat': topics.listen(PredictorStatus, 'wm_predictor/heartbeat', _EVERY),
            'commands': topics.listen_when_known(config.command_topics, _EVERY),
            'extra': topics.listen_when_known(config.extra_topics, _FRAMES)}
        if config.wants_frames:
            names['prediction'] = topics.listen(
                Prediction, 'wm_predictor/refused_prediction', _EVERY)
        return names

    def _on_verdict(self, message: Verdict) -> None:
        kind = self._trigger.see_verdict(message)
        if kind:
            self._begin(kind, message.chunk_id, message.model_id)

    def _on_state(self, message: GateState) -> None:
        kind = self._trigger.see_state(message)
        if kind:
            self._begin(kind)

    def _on_save(self, _request: Any, response: Any) -> Any:
        self._begin('manual')
        response.success = True
        response.message = f'a file will be in {self._store.directory}'
        return response

    def _begin(self, kind: str, chunk_id: int = 0, model_id: str = '') -> None:
        """Open a case, or add the trigger to the one that is open."""
        now_ns, config = time.monotonic_ns(), self._config
        if self._open is None:
            self._open = Open(since_ns=now_ns - round(config.span * NS_PER_S),
                              due_ns=now_ns + round(config.after * NS_PER_S))
            for other in self._others.values():
                other.ask()
        self._open.triggers.append({
            'kind': kind, 'chunk_id': chunk_id,
            'stamp_ns': self.get_clock().now().nanoseconds})
        self._open.model_id = model_id or self._open.model_id

    def _tick(self) -> None:
        self._topics.look_around()
        for other in self._others.values():
            if not other.values:
                other.ask()
        self._buffer.trim(time.monotonic_ns())
        if self._open is not None and time.monotonic_ns() >= self._open.due_ns:
            case, self._open = self._open, None
            self._hand_over(case)

    def _hand_over(self, case: Open) -> None:
        moment = datetime.now(timezone.utc).strftime('%Y%m%dT%H%M%S.%fZ')
        record = make_record(
            case, self._config, topics=self._names, num_short=self._buffer.num_short,
            parameters={name: other.values for name, other in self._others.items()},
            uses_sim_time=bool(self.get_parameter('use_sim_time').value))
        if not self._store.submit(Case(
                name=f'evidence_{moment}_{case.label}', record=record,
                samples=self._buffer.since(case.since_ns),
                definitions=dict(self._topics.definitions))):
            self.get_logger().error(self._store.problem)

    def _report(self) -> None:
        store, topics = self._store, self._topics
        problems = [store.problem, *topics.problems.values()]
        text = next((problem for problem in problems if problem), '')
        level = diagnostics.ERROR if store.problem else diagnostics.WARN if text else (
            diagnostics.OK)
        status = diagnostics.status(f'{self.get_name()}: files', level, text or 'ok', values={
            'directory': store.directory, 'written': store.num_written,
            'removed': store.num_removed, 'lost': store.num_lost, 'bytes': store.num_bytes,
            'limit_bytes': store.max_bytes, 'memory_bytes': self._buffer.num_bytes,
            'left_out_messages': self._buffer.num_short})
        self._diagnostics.publish(
            diagnostics.array(self.get_clock().now().to_msg(), status, *(
                rate.status(self.get_name()) for rate in topics.rates.values())))


def _make_store(config: EvidenceConfig, logger: Any) -> EvidenceStore:
    """
    Open the directory.

    :raises ParameterError: if it cannot be used.
    """
    def tell(path: Path) -> None:
        logger.info(f'evidence in {path}')

    try:
        return EvidenceStore(Path(config.directory).expanduser(), on_written=tell,
                             max_bytes=round(config.max_disk_mb * _BYTES_PER_MB))
    except OSError as error:
        raise ParameterError(f'parameter directory is {config.directory!r}: {error}') from error


def main(args: list[str] | None = None) -> int:
    """Run wm_evidence; returns the exit code."""
    return run(EvidenceNode, args)


if __name__ == '__main__':
    sys.exit(main())
