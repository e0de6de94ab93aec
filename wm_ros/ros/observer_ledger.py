# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What an independent listener on the wire knows, and what it concludes from it.

The main rule: nothing that the gate says of itself counts. A command on the controller's topic is
a hold, or it is a release that must be shown to follow from a command that a policy sent, a chunk
with the same digest, and a verdict on that digest. Whatever cannot be shown is unverified.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import CommandInterface, Decision, Trajectory, Verdict
from wm_ros.gate.digest import digest_trajectory
from wm_ros.ros.observer_holds import Measured, is_hold

_TRAJECTORY = CommandInterface.JOINT_TRAJECTORY
_POSITION_TOLERANCE = 1e-6
_TIME_TOLERANCE = 2e-6
_HOLD_WINDOW_NS = 250_000_000
# Receipt is stamped by one thread a topic; on a busy machine they run out of step by this much.
_ORDER_TOLERANCE_NS = 100_000_000


@dataclass(slots=True, eq=False)
class Passage:
    """
    One policy command on its way; times in ns of the middleware's receipt.

    :param digest: recomputed from the message.
    :param chunk_id: of the gate's chunk, 0 before one was seen.
    :param verdict: as it came, None before.
    """

    digest: bytes
    trajectory: Trajectory
    received_ns: int
    chunk_id: int = 0
    chunk_ns: int = 0
    start: NDArray[np.float64] | None = None
    verdict: Verdict | None = None
    verdict_ns: int = 0
    release_ns: int = 0
    prediction_ns: int = 0
    num_frames: int = 0

    @property
    def release_ms(self) -> float | None:
        """From the policy's command to its release, ms; None if it was not released."""
        return (self.release_ns - self.received_ns) / 1e6 if self.release_ns else None


@dataclass(slots=True, eq=False)
class _Output:
    trajectory: Trajectory
    received_ns: int
    joints: list[Measured]


@dataclass(slots=True, eq=False)
class Ledger:
    """
    Everything seen since the last ``clear``; not thread-safe, belongs to the executor's thread.

    Topics have no common order, so a command on the controller's topic counts as unverified only
    when ``settle`` is told that whatever led to it must have come in.

    :param hold_tolerance_rad: a one-point command this near to where the arm was measured
        within a quarter of a second, the oldest joints that a gate may hold at, is a hold; so is
        a path that brakes from the motion that was measured then.
    :param sample_delay_ns: by so much may a sample come in after the hold that was made of it.
    """

    hold_tolerance_rad: float = 0.1
    sample_delay_ns: int = _HOLD_WINDOW_NS
    passages: list[Passage] = field(default_factory=list)
    num_holds: int = 0
    num_releases: int = 0
    unverified: list[str] = field(default_factory=list)
    _outputs: list[_Output] = field(default_factory=list)
    _chunks: dict[bytes, deque[tuple[int, NDArray[np.float64], int]]] = field(
        default_factory=dict)
    # Passages by digest that have no chunk yet, and by chunk; a burst makes thousands.
    _alone: dict[bytes, deque[Passage]] = field(default_factory=dict)
    _judged: dict[int, Passage] = field(default_factory=dict)
    _verdicts: dict[int, list[tuple[Verdict, int]]] = field(default_factory=dict)
    _predictions: dict[int, tuple[int, int]] = field(default_factory=dict)
    _joints: deque[Measured] = field(default_factory=lambda: deque(maxlen=250))

    def take_command(self, trajectory: Trajectory, received_ns: int) -> None:
        """Note a command of the policy."""
        digest = digest_trajectory(trajectory, _TRAJECTORY)
        passage = Passage(digest, trajectory, received_ns)
        self.passages.append(passage)
        self._alone.setdefault(digest, deque()).append(passage)
        self._join_chunk(digest)

    def take_chunk(self, chunk_id: int, trajectory: Trajectory, start: NDArray[np.float64],
                   received_ns: int) -> None:
        """Note a chunk; its digest is computed here, what the message claims does not count."""
        digest = digest_trajectory(trajectory, _TRAJECTORY)
        self._chunks.setdefault(digest, deque()).append((chunk_id, start, received_ns))
        self._join_chunk(digest)

    def take_verdict(self, verdict: Verdict, received_ns: int) -> None:
        """Note a verdict; of two on one chunk the first counts that came after the chunk."""
        self._verdicts.setdefault(verdict.chunk_id, []).append((verdict, received_ns))
        self._complete(verdict.chunk_id)

    def take_prediction(self, chunk_id: int, num_frames: int, received_ns: int) -> None:
        """Note predicted frames."""
        self._predictions[chunk_id] = (num_frames, received_ns)
        self._complete(chunk_id)

    def take_joints(self, names: tuple[str, ...], positions: NDArray[np.float64],
                    received_ns: int, velocities: NDArray[np.float64] | None = None) -> None:
        """Note measured joints, rad, and their speeds, rad/s, where the driver gives them."""
        self._joints.append(Measured(received_ns, names, positions, velocities))

    def successor(self) -> 'Ledger':
        """Return a new ledger that knows where the arm was: a hold may be made of that."""
        return Ledger(hold_tolerance_rad=self.hold_tolerance_rad,
                      sample_delay_ns=self.sample_delay_ns, _joints=self._joints)

    def take_output(self, trajectory: Trajectory, received_ns: int) -> None:
        """Note a command on the controller's topic; ``settle`` judges it."""
        # Kept with it: when it is judged, newer samples have long replaced these.
        self._outputs.append(_Output(trajectory, received_ns, list(self._joints)))

    def settle(self, *, is_final: bool = False) -> None:
        """
        Judge what came on the controller's topic.

        What cannot be shown to be right yet is kept, because what shows it may still be on its
        way to this listener.

        :param is_final: nothing is on its way any more; what is left is unverified.
        """
        pending = []
        for output in self._outputs:
            is_point = len(output.trajectory.times) == 1
            # A path that was sent is a release, even if it only brakes.
            passage = None if is_point else self._find_passage(output)
            if passage is None and self._is_hold(output):
                self.num_holds += 1
                continue
            if is_point:
                passage = self._find_passage(output)
            problem = self._judge_release(output, passage)
            if problem and not is_final:
                pending.append(output)
                continue
            self.num_releases += 1
            if problem:
                self.unverified.append(problem)
        self._outputs = pending

    def forget(self, before_ns: int) -> None:
        """
        Judge for good what came before a time, and forget it: hours have very many messages.

        :param before_ns: what led to an output of that age has come in, or never will.
        """
        recent = [output for output in self._outputs if output.received_ns >= before_ns]
        self._outputs = [output for output in self._outputs if output.received_ns < before_ns]
        self.settle(is_final=True)
        self._outputs = recent
        self.passages = [one for one in self.passages if one.received_ns >= before_ns]
        self._judged = {key: one for key, one in self._judged.items()
                        if one.received_ns >= before_ns}
        self._alone = {key: queue for key, queue in self._alone.items()
                       if queue and queue[-1].received_ns >= before_ns}
        self._chunks = {key: queue for key, queue in self._chunks.items()
                        if queue and queue[-1][2] >= before_ns}
        self._verdicts = {key: found for key, found in self._verdicts.items()
                          if found[-1][1] >= before_ns}
        self._predictions = {key: found for key, found in self._predictions.items()
                             if found[1] >= before_ns}

    def _join_chunk(self, digest: bytes) -> None:
        """Join the oldest chunk and the oldest command of a digest, whichever came first."""
        chunks, passages = self._chunks.get(digest), self._alone.get(digest)
        while chunks and passages:
            passage = passages.popleft()
            passage.chunk_id, passage.start, passage.chunk_ns = chunks.popleft()
            self._judged[passage.chunk_id] = passage
            self._complete(passage.chunk_id)

    def _complete(self, chunk_id: int) -> None:
        """Join verdict and prediction to the command of a chunk, in whatever order they came."""
        passage = self._judged.get(chunk_id)
        if passage is None:
            return
        if passage.verdict is None:
            passage.verdict, passage.verdict_ns = self._first_verdict(passage)
        if chunk_id in self._predictions:
            passage.num_frames, passage.prediction_ns = self._predictions[chunk_id]

    def _first_verdict(self, passage: Passage) -> tuple[Verdict | None, int]:
        """Return the verdict that counts; one that came before its chunk is about nothing."""
        earliest_ns = passage.chunk_ns - _ORDER_TOLERANCE_NS
        return next(((verdict, at_ns) for verdict, at_ns in self._verdicts.get(
            passage.chunk_id, ()) if at_ns >= earliest_ns), (None, 0))

    def _is_hold(self, output: _Output) -> bool:
        # Samples may come in after the hold that was made of them.
        return any(
            -self.sample_delay_ns < output.received_ns - measured.received_ns < _HOLD_WINDOW_NS
            and is_hold(output.trajectory, measured, self.hold_tolerance_rad)
            for measured in (*output.joints, *self._joints))

    def _find_passage(self, output: _Output) -> Passage | None:
        """Return the newest command that an output is the beginning of."""
        # Of equal commands the one that was put to the predictor is the one that was released.
        for passage in chain(reversed(self._judged.values()), reversed(self.passages)):
            late_ns = passage.received_ns - output.received_ns
            if late_ns <= _ORDER_TOLERANCE_NS and follows(output.trajectory, passage):
                return passage
        return None

    def _judge_release(self, output: _Output, passage: Passage | None) -> str:
        """Say why a release is not verified; '' if it is."""
        if passage is None:
            return (f'a command of {len(output.trajectory.times)} points that is neither a hold '
                    'nor the beginning of a command that was sent')
        if passage.release_ns not in (0, output.received_ns):
            return f'command {passage.digest.hex()[:8]} was released twice'
        passage.release_ns = output.received_ns
        return _objection(passage)


def _objection(passage: Passage) -> str:
    verdict, name = passage.verdict, f'command {passage.digest.hex()[:8]}'
    released_ns = passage.release_ns
    if verdict is None:
        return f'{name} was released without a verdict'
    if verdict.digest != passage.digest:
        return f'{name} was released on a verdict about digest {verdict.digest.hex()[:8]}'
    if verdict.decision not in (Decision.OK, Decision.SLOW):
        return f'{name} was released on a verdict {verdict.decision.name}'
    if passage.verdict_ns > released_ns + _ORDER_TOLERANCE_NS:
        late_ms = (passage.verdict_ns - released_ns) / 1e6
        return f'{name} was released {late_ms:.1f} ms before its verdict'
    if released_ns > verdict.valid_until_ns:
        late_ms = (released_ns - verdict.valid_until_ns) / 1e6
        return f'{name} was released {late_ms:.1f} ms after its verdict had expired'
    return ''


def follows(released: Trajectory, passage: Passage) -> bool:
    """
    Say whether a trajectory is the beginning of a command, at the speed that was allowed.

    Every point but the last must be a point of the command; the last may lie between two, where
    the command was cut at the predicted horizon, and not beyond that.
    """
    command, verdict = passage.trajectory, passage.verdict
    if set(released.joint_names) != set(command.joint_names) or not len(released.times):
        return False
    columns = [released.joint_names.index(name) for name in command.joint_names]
    positions = released.positions[:, columns]
    factor = verdict.speed_factor if verdict is not None else 1.0
    times = released.times * factor
    count = len(times) - 1
    # Most commands differ in their first point already, and this is asked very often.
    if count and np.abs(positions[0] - command.positions[0]).max() > _POSITION_TOLERANCE:
        return False
    if count > len(command.times) or not (
            np.allclose(times[:count], command.times[:count], rtol=0, atol=_TIME_TOLERANCE)
            and np.allclose(positions[:count], command.positions[:count], rtol=0,
                            atol=_POSITION_TOLERANCE)):
        return False
    if verdict is not None and 0 < verdict.horizon_s < released.times[-1] - _TIME_TOLERANCE:
        return False
    # Before its first point a command runs from where the arm was when the gate took it.
    start = passage.start if passage.start is not None else command.positions[0]
    knots = np.concatenate([[0.0], command.times])
    path = np.concatenate([np.asarray(start)[None], command.positions])
    end = np.array([np.interp(times[-1], knots, column) for column in path.T])
    return times[-1] <= knots[-1] + _TIME_TOLERANCE and bool(
        np.allclose(positions[-1], end, rtol=0, atol=_POSITION_TOLERANCE))
