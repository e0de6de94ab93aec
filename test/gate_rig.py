# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A gate on a bench: a clock that only moves when told, two joints, and a predictor of one line.

Two joints 'a' and 'b', both clocks in ns; ROS time starts far from steady time so that a mix-up
of the two cannot pass.
"""

import numpy as np

from wm_ros.datatypes import (
    ActionChunk,
    CommandInterface,
    Decision,
    JointSample,
    Reason,
    Verdict,
)
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import Effect, Forward, Hold, PublishChunk, StateChanged
from wm_ros.gate.machine import Gate
from wm_ros.gate.values import Command, CommandPoint, Heartbeat, Now, State

MS = 1_000_000
ROS_START_NS = 1_700_000_000 * 1_000_000_000


def make_config(**changes) -> GateConfig:
    """Make a config of two joints with limits of 1 rad and 2 rad/s."""
    values = {
        'joint_names': ('a', 'b'), 'position_lower': (-1.0, -1.0), 'position_upper': (1.0, 1.0),
        'velocity_limit': (2.0, 2.0), 'arm_cycles': 3, **changes}
    return GateConfig(**values)


def make_command(
        positions=((0.1, 0.2), (0.2, 0.4)), times_ms=(100, 200), names=('a', 'b'), stamp_ns=0,
        velocities=None) -> Command:
    """Make a trajectory command."""
    velocities = velocities or ((),) * len(positions)
    points = tuple(
        CommandPoint(positions=tuple(p), velocities=tuple(v), time_ns=round(t * MS))
        for p, v, t in zip(positions, velocities, times_ms, strict=True))
    return Command(
        source='test', interface=CommandInterface.JOINT_TRAJECTORY, joint_names=tuple(names),
        points=points, stamp_ns=stamp_ns)


def make_setpoint(values=(0.1, 0.1), interface=CommandInterface.POSITION) -> Command:
    """Make a set-point command."""
    is_position = interface is CommandInterface.POSITION
    point = CommandPoint(
        positions=tuple(values) if is_position else (),
        velocities=() if is_position else tuple(values))
    return Command(source='test', interface=interface, joint_names=('a', 'b'), points=(point,))


def make_sample(positions=(0.0, 0.0), velocities=(0.0, 0.0), stamp_ns=ROS_START_NS,
                names=('a', 'b')) -> JointSample:
    """Make measured joints."""
    return JointSample(
        names=tuple(names), positions=np.array(positions, dtype=float),
        velocities=np.array(velocities, dtype=float), stamp_ns=stamp_ns)


class Rig:
    """
    A gate, its clock, and everything it ever wanted done.

    :param urdf: what ``robot_description_file`` would hold.
    :param changes: settings that differ from ``make_config``.
    """

    def __init__(
            self, *, uses_sim_time: bool = False, urdf: str | None = None, **changes) -> None:
        self.config = make_config(**changes)
        self.gate = Gate(
            self.config, first_chunk_id=1000, uses_sim_time=uses_sim_time, urdf=urdf)
        self.now = Now(5_000_000_000, ROS_START_NS)
        self.positions = (0.0, 0.0)
        self.progress = 0
        self.image_age_s = 0.03
        self.is_calibrated = True
        self.effects: list[Effect] = []
        self.answered: set[int] = set()

    @property
    def state(self) -> State:
        """Return the reported state."""
        return self.gate.status(self.now).state

    @property
    def reasons(self) -> Reason:
        """Return the reported reasons."""
        return self.gate.status(self.now).reasons

    @property
    def message(self) -> str:
        """Return the reported words."""
        return self.gate.status(self.now).message

    def note(self, effects: list[Effect]) -> list[Effect]:
        """Keep effects and return them."""
        self.effects += effects
        return effects

    def advance(self, ms: float, *, ros_ms: float | None = None) -> None:
        """Move both clocks; nobody is told."""
        ros_ms = ms if ros_ms is None else ros_ms
        self.now = Now(
            self.now.steady_ns + round(ms * MS), self.now.ros_ns + round(ros_ms * MS))

    def feed(self, *, joints: bool = True, beat: bool = True) -> list[Effect]:
        """Send fresh joints and a heartbeat with progress."""
        effects = []
        if joints:
            effects += self.gate.take_joints(
                make_sample(self.positions, stamp_ns=self.now.ros_ns), self.now)
        if beat:
            self.progress += 1
            effects += self.gate.take_heartbeat(
                Heartbeat(progress=self.progress, is_calibrated=self.is_calibrated,
                          image_age_s=self.image_age_s), self.now)
        return self.note(effects)

    def run(self, ms: int, *, joints: bool = True, beat: bool = True) -> list[Effect]:
        """Let time pass in ticks of 10 ms with fresh inputs; probes are answered with OK."""
        effects = []
        for _ in range(ms // 10):
            self.advance(10)
            effects += self.feed(joints=joints, beat=beat)
            effects += self.tick()
        return effects

    def tick(self) -> list[Effect]:
        """Tick once and answer probes."""
        effects = self.note(self.gate.tick(self.now))
        for effect in list(effects):
            if isinstance(effect, PublishChunk) and effect.chunk.source == 'probe':
                effects += self.answer(effect.chunk)
        return effects

    def arm(self) -> 'Rig':
        """Activate and bring the gate to RUNNING (in shadow: to a virtual RUNNING)."""
        self.note(self.gate.activate(self.now))
        self.run(100)
        assert self.gate.stance.state is State.RUNNING
        return self

    def command(self, command: Command | None = None) -> list[Effect]:
        """Send a command."""
        return self.note(self.gate.take_command(command or make_command(), self.now))

    def ask(self, command: Command | None = None) -> ActionChunk:
        """Send a command and return the chunk that the gate asks about."""
        chunks = [e.chunk for e in self.command(command) if isinstance(e, PublishChunk)]
        assert len(chunks) == 1
        return chunks[0]

    def verdict(self, chunk: ActionChunk, decision: Decision = Decision.OK, **changes) -> Verdict:
        """Make a verdict as a good predictor would."""
        values = {
            'chunk_id': chunk.chunk_id, 'digest': chunk.digest, 'decision': decision,
            'reasons': Reason.RISK if decision is Decision.VETO else Reason.NONE,
            'stamp_ns': self.now.ros_ns, 'observation_stamp_ns': self.now.ros_ns - 30 * MS,
            'valid_until_ns': self.now.ros_ns + 300 * MS, 'horizon_s': 0.8,
            'risk': 0.9 if decision is Decision.VETO else 0.1, 'risk_threshold': 0.5, **changes}
        return Verdict(**values)

    def answer(self, chunk: ActionChunk, decision: Decision = Decision.OK,
               **changes) -> list[Effect]:
        """Answer a chunk."""
        return self.note(
            self.gate.take_verdict(self.verdict(chunk, decision, **changes), self.now))

    def forwards(self) -> list[Forward]:
        """Return every command that was forwarded so far."""
        return [e for e in self.effects if isinstance(e, Forward)]

    def holds(self) -> list[Hold]:
        """Return every hold so far."""
        return [e for e in self.effects if isinstance(e, Hold)]

    def states(self) -> list[State]:
        """Return every state that was announced."""
        return [e.state for e in self.effects if isinstance(e, StateChanged)]

    def last_output(self) -> Effect:
        """Return the last thing on the wire to the controller."""
        return [e for e in self.effects if isinstance(e, (Forward, Hold))][-1]
