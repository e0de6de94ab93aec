# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Lead the demo: the same seeded episodes without and with the gate.

A process of its own. It writes one JSON object a line to its standard output, which the demo's
main process (wm_ros.demo) reads; logs go to standard error.
"""

import json
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node

from wm_ros.errors import WorldModelError
from wm_ros.msg import GateState
from wm_ros.ros.conversions import image_to_rgb
from wm_ros.ros.demo_camera import CameraMemory
from wm_ros.ros.demo_episode import CommandRecord, Sent, Stage, make_record
from wm_ros.ros.demo_wire import ACTIVATE, CONFIGURE, DEACTIVATE
from wm_ros.ros.observer import Observer

GATE, PREDICTOR = '/wm_gate', '/wm_predictor'
UNGATED_TOPIC, GATED_TOPIC = 'arm_controller/joint_trajectory', 'wm_gate/joint_trajectory'
_ARM_TIMEOUT_S = 60.0
_READY = (GateState.RUNNING, GateState.SLOW, GateState.HOLD)
_STEP_NS = 100_000_000
# Longer than any command and any model's horizon.
_NUM_STEPS = 16
# The first veto comes soon; 40 commands of pictures are 37 MB.
_MOST_KEPT = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """
    What to do.

    :param first_seed: seed of the first episode; the next ones follow it.
    :param frames_path: where the pictures of the first veto go, as NPZ.
    """

    episodes: int
    commands_per_episode: int
    first_seed: int
    is_enforcing: bool
    frames_path: str


class Conductor:
    """
    Runs the episodes and reports them as events.

    :param plan: what to do.
    :param stage: robot, policy and observer.
    """

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan, self._stage = plan, stage
        self._wire, self._observer = stage.wire, stage.observer
        self._camera = CameraMemory(stage.node)
        self._ungated_frames: dict[tuple[int, int], np.ndarray] = {}
        self._has_veto = self._has_abstention = False
        self._is_gate_active = False
        self._num_stops = 0
        self._is_same_so_far = True

    def run(self) -> None:
        """
        Run all episodes.

        :raises WorldModelError: if a node does not answer or refuses.
        """
        emit('status', text='waiting for the simulation')
        self._wire.wait(lambda: self._camera.num_frames > 0, 60.0,
                        lambda: 'no camera pictures from so101_sim')
        # The model loads while the ungated episodes run.
        loading = self._wire.ask_transition(PREDICTOR, CONFIGURE)
        for episode in range(self._plan.episodes):
            self._run_episode('ungated', episode)
        emit('status', text='waiting for the model')
        self._wire.finish(f'{PREDICTOR}/change_state', loading, 120.0)
        self._wire.change_state(PREDICTOR, ACTIVATE)
        self._wire.change_state(GATE, CONFIGURE)
        self._observer.clear()
        for episode in range(self._plan.episodes):
            self._run_episode('gated', episode)
        # Whatever was said on the wire has come in after this.
        self._wire.spin_for(1.0)
        self._observer.settle(is_final=True)
        state, ledger = self._observer.state, self._observer.ledger
        emit('end', unverified=ledger.unverified, num_releases=ledger.num_releases,
             num_holds=ledger.num_holds, emergency_stops=self._num_stops,
             vetoed=state.vetoed if state else 0,
             deadline_misses=state.deadline_missed if state else 0)

    def _run_episode(self, phase: str, episode: int) -> None:
        is_gated = phase == 'gated'
        if self._is_gate_active:
            # The arm is about to be somewhere else: a hold would look disobeyed.
            self._wire.change_state(GATE, DEACTIVATE)
            self._wire.spin_for(0.1)
        self._stage.reset(self._plan.first_seed + episode,
                          GATED_TOPIC if is_gated else UNGATED_TOPIC)
        self._is_same_so_far = True
        if is_gated:
            self._arm_gate()
        count = 0
        for index in range(self._plan.commands_per_episode):
            record = self._run_command(phase, episode, index)
            count += 1
            emit(**record.to_event())
            if self._stage.has_collided:
                break
        emit('episode', phase=phase, episode=episode, commands=count,
             collided=self._stage.has_collided)

    def _run_command(self, phase: str, episode: int, index: int) -> CommandRecord:
        sent = self._stage.send_next(is_watched=phase == 'gated')
        if sent.passage is not None:
            self._stage.wait_outcome(sent.passage, is_enforcing=self._plan.is_enforcing)
        if sent.passage is None or sent.passage.release_ns:
            self._stage.wait_rest()
        else:
            # The hold is the measured position: the arm is at rest at once.
            self._wire.spin_for(0.3)
        if phase == 'ungated':
            self._keep_frames(episode, index, sent)
        record = make_record(phase, episode, index, sent)
        # An abstention stands in until there is a veto to show.
        if not self._has_veto and record.decision == 'VETO':
            self._has_veto = self._save_veto(record, sent)
        elif not self._has_veto and not self._has_abstention and record.decision == 'ABSTAIN':
            self._has_abstention = self._save_veto(record, sent)
        self._is_same_so_far = self._is_same_so_far and record.is_released
        return record

    def _arm_gate(self) -> None:
        """Activate the gate and wait until it lets commands through."""
        self._observer.state = None
        self._wire.change_state(GATE, ACTIVATE)
        self._is_gate_active = True

        def complaint() -> str:
            state, verdict = self._observer.state, self._observer.verdict
            words = (state.message or f'state {state.state}') if state else 'it is silent'
            last = f'; the last verdict says: {verdict.message}' if verdict else ''
            return f'the gate does not arm: {words}{last}; is the machine busy with other work?'

        self._wire.wait(lambda: self._state() != 0, _ARM_TIMEOUT_S, complaint)
        if self._state() == GateState.ESTOP:
            # Latched in the episode before; the scene is new, so its cause is gone.
            self._num_stops += 1
            self._wire.trigger(f'{GATE}/clear_emergency_stop')
        self._wire.wait(self._is_armed, _ARM_TIMEOUT_S, complaint)

    def _is_armed(self) -> bool:
        """Say whether the next command will be judged; in shadow RUNNING comes before that."""
        state = self._observer.state
        return state is not None and self._state() in _READY and (
            state.enforcing or not state.would_hold)

    def _state(self) -> int:
        """Return the gate's state since it was activated, 0 before it has spoken."""
        state = self._observer.state
        return state.state if state is not None and state.state != GateState.INACTIVE else 0

    def _keep_frames(self, episode: int, index: int, sent: Sent) -> None:
        """Remember what happened without the gate, a frame each tenth of a second."""
        if len(self._ungated_frames) >= _MOST_KEPT:
            return
        stamps = [sent.sent_ns + _STEP_NS * step for step in range(_NUM_STEPS)]
        self._ungated_frames[episode, index] = self._camera.at(stamps)

    def _save_veto(self, record: CommandRecord, sent: Sent) -> bool:
        """Save the pictures of a veto; returns whether there were any."""
        assert sent.passage is not None
        assert sent.passage.verdict is not None
        chunk_id, verdict = sent.passage.chunk_id, sent.passage.verdict
        predictions = self._observer.predictions
        self._wire.spin_while(lambda: chunk_id not in predictions, 1.0)
        prediction = predictions.get(chunk_id)
        if prediction is None or not prediction.frames:
            return False
        newest = verdict.observation_stamp_ns
        # After a refusal the same move starts elsewhere, and is no longer the same command.
        happened = self._camera.at([])
        if self._is_same_so_far:
            happened = self._ungated_frames.get((record.episode, record.index), happened)
        if len(happened):
            steps = np.rint(np.array(prediction.offsets) * 1e9 / _STEP_NS).astype(int)
            happened = happened[np.clip(steps, 0, _NUM_STEPS - 1)]
        with Path(self._plan.frames_path).open('wb') as handle:
            np.savez(
                handle, context=self._camera.at([newest - _STEP_NS, newest]),
                predicted=np.stack([image_to_rgb(frame) for frame in prediction.frames]),
                risk=np.array(prediction.risk), offsets=np.array(prediction.offsets),
                happened=happened)
        emit('veto', path=self._plan.frames_path, record=record.to_event())
        if record.decision == 'VETO':
            # Nothing better will come.
            self._camera.close()
            self._ungated_frames.clear()
        return True


def emit(event: str, **fields: Any) -> None:
    """Write one event for the demo's main process."""
    sys.stdout.write(json.dumps({'event': event, **fields}) + '\n')
    sys.stdout.flush()


def main(args: list[str] | None = None) -> int:
    """Run the plan that is given as JSON in the first argument; returns the exit code."""
    plan = Plan(**json.loads((sys.argv[1:] if args is None else args)[0]))
    rclpy.init(args=[])
    node, observer = Node('wm_demo'), Observer()
    stage = Stage(node, observer)
    try:
        Conductor(plan, stage).run()
        return 0
    except KeyboardInterrupt:
        return 1
    except Exception as error:  # noqa: B902  named guard: main
        if not isinstance(error, WorldModelError):
            traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        emit('error', text=str(error) or repr(error))
        return 1
    finally:
        # The main process interrupts everybody as soon as it has read the last event.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stage.wire.close()
        observer.destroy_node()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
