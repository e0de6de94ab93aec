# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a gate may do, worked out from its inputs alone.

The ledger keeps its own books: which joints and heartbeats were usable, which command became
which chunk, who pressed what. It shares no code with the gate's decisions and never looks inside
one; of the gate it sees the effects and the state that it reports.
"""

from dataclasses import dataclass, field

import numpy as np

from wm_ros.datatypes import ActionChunk, Decision, JointSample, Reason, Verdict
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import Effect, Forward, Hold, PublishChunk
from wm_ros.gate.values import Heartbeat, Now, State

MOVING = {State.RUNNING, State.SLOW, State.BYPASS}
PERMITS = (Decision.OK, Decision.SLOW)
NS = 1e9


@dataclass
class Entry:
    """
    A chunk that the gate asked about.

    :param sent_at: step at which its command was sent; None for a probe or a check.
    """

    chunk: ActionChunk
    asked: Now
    sent_at: int | None
    is_used: bool = False


@dataclass
class Ledger:
    """
    Inputs so far, and the judge of every output.

    :param config: the settings in force; replaced when the gate's are.
    """

    config: GateConfig
    step: int = 0
    is_active: bool = False
    is_engaged: bool = True
    is_latched: bool = False
    is_button_down: bool = False
    joints: tuple[JointSample, Now] | None = None
    beat: tuple[Heartbeat, Now] | None = None
    progress: int | None = None
    bypass_until_ns: float = -1.0
    sent: list[tuple[int, np.ndarray]] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    wire: list[Forward | Hold] = field(default_factory=list)
    stopped_at: int = 0
    is_excused: bool = False
    num_released: int = 0

    def note_joints(self, sample: JointSample, now: Now) -> None:
        """Book measured joints if they can be used at all."""
        age_s = (now.ros_ns - sample.stamp_ns) / NS
        if (set(sample.names) >= set(self.config.joint_names)
                and len(sample.positions) == len(sample.velocities) == len(sample.names)
                and np.isfinite([*sample.positions, *sample.velocities]).all()
                and -self.config.max_future_skew <= age_s < self.config.joint_state_timeout):
            self.joints = sample, now

    def note_beat(self, beat: Heartbeat, now: Now) -> None:
        """Book a heartbeat; one without progress is none."""
        if beat.progress != self.progress:
            self.beat, self.progress = (beat, now), beat.progress

    def joint_age_s(self, now: Now) -> float:
        """Return the age of the newest usable joints, time on the way included."""
        if self.joints is None:
            return float('inf')
        sample, at = self.joints
        return (now.steady_ns - at.steady_ns + max(0, at.ros_ns - sample.stamp_ns)) / NS

    def is_robot_seen(self, now: Now) -> bool:
        """Tell whether joints, predictor and camera are all fresh, and the model calibrated."""
        if self.beat is None:
            return False
        beat, at = self.beat
        silence_s = (now.steady_ns - at.steady_ns) / NS
        return (self.joint_age_s(now) < self.config.joint_state_timeout
                and silence_s < self.config.heartbeat_timeout
                and beat.image_age_s >= 0.0
                and beat.image_age_s + silence_s < self.config.image_timeout
                and beat.is_calibrated)

    def judge(self, effects: list[Effect], before: State, after: State, now: Now,
              verdict: Verdict | None = None) -> None:
        """
        Judge what one event made the gate do.

        :param before: the reported state before the event; ``after`` that after it.
        :param verdict: the verdict that the event was, if it was one.
        :raises AssertionError: naming the invariant.
        """
        self.step += 1
        outputs = [e for e in effects if isinstance(e, (Forward, Hold))]
        for effect in effects:
            if isinstance(effect, PublishChunk):
                self._ask(effect.chunk, now)
            elif isinstance(effect, Forward):
                self._judge_forward(effect, now, verdict)
                if verdict is not None and verdict.reasons & Reason.ESCAPE:
                    self._judge_escape(effect, verdict, before)
            elif isinstance(effect, Hold):
                self._judge_hold(effect, now)
        self.wire += outputs
        self._judge_silence(outputs, before, after)
        self._judge_stop(outputs, before, after, now)

    def _judge_silence(self, outputs: list, before: State, after: State) -> None:
        """Check that nothing is heard of a gate that is inactive, waiting or stopped."""
        if not self.is_active:
            assert after is State.INACTIVE, 'nobody activated it'
            assert not outputs or before in MOVING, 'invariant 1: inactive and heard'
        elif self.is_latched:
            assert after is State.ESTOP, 'a latched stop stays until it is cleared'
        if before is State.WAITING and after is State.WAITING:
            assert not outputs, 'invariant 1: waiting and heard'

    def _judge_stop(self, outputs: list, before: State, after: State, now: Now) -> None:
        """Check that a stop ends with the hold, or for want of joints with nothing."""
        if after in MOVING:
            return
        if before is not after:
            self.stopped_at = self.step
        if before in MOVING and not outputs:
            assert after in (State.ESTOP, State.INACTIVE), 'invariant 5: no joints, so e-stop'
            assert self.joint_age_s(now) >= self.config.joint_state_timeout, 'invariant 4'
            self.is_excused = True
        if self.wire and not self.is_excused:
            assert isinstance(self.wire[-1], Hold), 'invariant 4: the hold is the last word'

    def judge_after_ticks(self, state: State, now: Now) -> None:
        """After two ticks nothing may move on inputs that have grown old."""
        if state in (State.RUNNING, State.SLOW):
            assert self.is_robot_seen(now), 'invariant 8: moves on stale inputs'
            assert self.is_engaged, 'moves though nobody engaged it'
        if state is State.BYPASS:
            assert now.steady_ns <= self.bypass_until_ns, 'the dead-man has let go'

    def _ask(self, chunk: ActionChunk, now: Now) -> None:
        assert chunk.chunk_id not in self.entries, 'an id is given once'
        if chunk.source != 'check_trajectory':
            # A check has its id when it is asked for, and may wait until later ones are out.
            assert all(chunk.chunk_id > earlier for earlier in self.entries), 'ids count up'
        sent_at = None
        if chunk.source == 'test':
            trajectory = chunk.trajectory
            is_speed = trajectory.velocities is not None and self.config.is_velocity_out
            first = (trajectory.velocities if is_speed else trajectory.positions)[0]
            sent_at = max(step for step, numbers in self.sent if np.array_equal(numbers, first))
        self.entries[chunk.chunk_id] = Entry(chunk, now, sent_at)

    def _judge_forward(self, forward: Forward, now: Now, verdict: Verdict | None) -> None:
        self.is_excused = False
        trajectory = forward.trajectory
        assert self.is_active, 'invariant 1: inactive'
        assert not self.is_latched, 'forwarded after an emergency stop'
        assert np.isfinite(trajectory.positions).all()
        assert np.all(np.diff(trajectory.times, prepend=0.0) > 0), 'times increase'
        if trajectory.velocities is not None:
            assert not trajectory.velocities[-1].any(), 'invariant 3: ends at rest'
        if forward.chunk_id == 0:
            assert now.steady_ns <= self.bypass_until_ns, 'unjudged, and no dead-man'
            return
        entry = self.entries[forward.chunk_id]
        assert verdict is not None, 'invariant 2: released without a verdict'
        self._judge_right(entry, verdict, now)
        entry.is_used = True
        self.num_released += 1
        assert trajectory.times[-1] <= verdict.horizon_s, 'invariant 3: further than foreseen'
        judged = entry.chunk.trajectory
        kept = len(trajectory.times) - 1
        assert np.array_equal(trajectory.positions[:kept], judged.positions[:kept]), 'other path'
        times = trajectory.times[:kept] * verdict.speed_factor
        assert np.allclose(times, judged.times[:kept], rtol=0, atol=1e-9), 'not the judged speed'
        assert verdict.speed_factor == 1.0 or verdict.decision is Decision.SLOW or (
            verdict.speed_factor == entry.chunk.slow_factor), 'slower than anybody asked'

    def _judge_escape(self, forward: Forward, verdict: Verdict, before: State) -> None:
        """Check that a motion away from a risk starts from a hold, and slowly."""
        entry = self.entries[forward.chunk_id]
        assert before in (State.HOLD, State.SLOW), 'an escape from no hold'
        assert verdict.decision is Decision.SLOW
        assert 0.0 < verdict.speed_factor <= entry.chunk.escape_factor, 'nobody asked for it'
        path, here = entry.chunk.trajectory, entry.chunk.start.positions
        steps = np.diff(np.vstack([here, path.positions]), axis=0)
        fastest = np.abs(steps / np.diff(path.times, prepend=0.0)[:, None]).max()
        if path.velocities is not None:
            fastest = np.abs(path.velocities).max()
        assert fastest * verdict.speed_factor <= self.config.escape_max_velocity + 1e-9, 'fast'

    def _judge_right(self, entry: Entry, verdict: Verdict, now: Now) -> None:
        """Check that exactly this verdict, now, releases exactly this chunk."""
        chunk, config = entry.chunk, self.config
        assert not entry.is_used, 'invariant 2: one release for one command'
        assert (verdict.chunk_id, verdict.digest) == (chunk.chunk_id, chunk.digest), 'invariant 2'
        assert verdict.decision in PERMITS, 'invariant 2: no permission'
        assert now.ros_ns <= min(verdict.valid_until_ns, chunk.decide_by_ns), 'inv. 2: expired'
        allowed_ns = chunk.decide_by_ns - chunk.stamp_ns
        assert now.steady_ns - entry.asked.steady_ns <= allowed_ns, 'invariant 8: late'
        frame_age_s = (now.ros_ns - verdict.observation_stamp_ns) / NS
        assert -config.max_future_skew <= frame_age_s <= config.image_timeout, 'invariant 8'
        assert 0.0 < verdict.speed_factor <= 1.0, 'no speed'
        assert (verdict.risk <= verdict.risk_threshold
                or verdict.reasons & Reason.ESCAPE), 'its own risk speaks against it'
        assert not verdict.reasons & Reason.UNCALIBRATED, 'not calibrated'
        assert self.is_robot_seen(now), 'released on stale inputs'
        assert self.is_engaged, 'released though nobody engaged it'
        assert entry.sent_at is not None, 'a probe or a check was released'
        assert entry.sent_at > self.stopped_at, 'a command from before the stop was replayed'

    def _judge_hold(self, hold: Hold, now: Now) -> None:
        self.is_excused = False
        assert self.joints is not None
        assert self.joint_age_s(now) < self.config.joint_state_timeout, 'invariant 5: old joints'
        sample = self.joints[0]
        where = dict(zip(sample.names, sample.positions, strict=True))
        expected = [where[name] for name in self.config.joint_names]
        assert hold.joint_names == self.config.joint_names
        assert np.array_equal(hold.positions, expected), 'invariant 5: not where the arm is'
        if hold.braking is not None:
            speed = dict(zip(sample.names, sample.velocities, strict=True))
            self._judge_braking(hold, np.array([speed[n] for n in hold.joint_names]), now)

    def _judge_braking(self, hold: Hold, speed: np.ndarray, now: Now) -> None:
        """Check that a moving arm loses its speed, in its limits, and only that."""
        path, config = hold.braking, self.config
        assert config.acceleration_limit, 'nothing is known of how it brakes'
        assert np.abs(speed).max() > config.rest_velocity, 'it was at rest'
        assert not path.velocities[-1].any(), 'braking ends at rest'
        assert path.times[-1] <= config.hold_settle, 'brakes for ever'
        assert np.all(np.diff(path.times, prepend=0.0) > 0)
        ahead = (path.positions - hold.positions) * np.where(speed < 0, -1.0, 1.0)
        assert (ahead >= -1e-9).all(), 'turns back'
        moved_on = np.abs(speed) * self.joint_age_s(now)
        longest = speed ** 2 / (2 * np.array(config.acceleration_limit))
        assert (ahead[-1] <= moved_on + longest + 1e-9).all(), 'brakes later than it could'
        inside = np.abs(hold.positions) <= 1.0
        assert (np.abs(path.positions[:, inside]) <= 1.0 + 1e-9).all(), 'brakes out of its limits'
