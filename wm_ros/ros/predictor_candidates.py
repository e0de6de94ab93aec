# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Candidates for planners: many trajectories, one observation, no release.

The main rule: the gate's own command comes first. A request is looked at a few trajectories in a
turn of the inference thread, so that neither a command nor a beat waits for all of it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wm_ros.datatypes import ActionChunk, CommandInterface, Observation, Verdict
from wm_ros.gate.digest import digest_trajectory
from wm_ros.inference.history import UnusableObservation
from wm_ros.ros.predictor_messages import message_to_trajectory, verdict_to_message

MAX_CANDIDATES = 256
# What a turn may take is a few times a check.
PER_TURN = 4


@dataclass(slots=True, eq=False)
class CandidateRequest:
    """
    One request on its way through the inference thread.

    :param trajectories: trajectory_msgs/JointTrajectory, each from the measured joints.
    :param answer: called once, on the inference thread, with the verdicts or the reason in words.
    """

    trajectories: Sequence[Any]
    answer: Callable[[list[Any], str], None]
    chunks: list[ActionChunk] = field(default_factory=list)
    observation: Observation | None = None
    stamp_ns: int = 0
    verdicts: list[Any] = field(default_factory=list)

    def begin(self, observation: Observation, stamp_ns: int) -> None:
        """
        Fix what all trajectories are judged by.

        :raises ValueError: naming the trajectory that cannot be read.
        """
        self.observation, self.stamp_ns = observation, stamp_ns
        for place, message in enumerate(self.trajectories):
            try:
                self.chunks.append(_chunk(place, message, observation, stamp_ns))
            except ValueError as error:
                raise ValueError(f'trajectory {place}: {error}') from error

    def step(self, judge: Any, void: Callable[[Verdict], Verdict]) -> bool:
        """
        Judge a few more, and answer after the last.

        :param void: turns an OK into ABSTAIN while the model is not trusted.
        :returns: whether the request is done.
        """
        done = len(self.verdicts)
        judgements = judge.judge_candidates(
            self.chunks[done:done + PER_TURN], self.observation, stamp_ns=self.stamp_ns)
        self.verdicts += [verdict_to_message(void(one.verdict)) for one in judgements]
        if len(self.verdicts) < len(self.chunks):
            return False
        self.answer(self.verdicts, '')
        return True


class CandidateQueue:
    """Requests that wait for the inference thread; all but ``ask`` belong to it."""

    def __init__(self) -> None:
        self._requests: deque[CandidateRequest] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._requests)

    def ask(self, request: CandidateRequest) -> None:
        """Queue a request; may be called from any thread."""
        self._requests.append(request)

    def step(self, judge: Any, *, observe: Callable[[int], Observation], now_ns: int,
             void: Callable[[Verdict], Verdict]) -> None:
        """Judge a few candidates of the oldest request; what is wrong with them is its answer."""
        request = self._requests[0]
        try:
            if request.observation is None:
                request.begin(observe(now_ns), now_ns)
            is_done = request.step(judge, void)
        except (ValueError, UnusableObservation) as error:
            request.answer([], str(error))
            is_done = True
        if is_done:
            self._requests.popleft()

    def drop_first(self, text: str) -> None:
        """Answer the oldest request, if there is one, with a reason."""
        if self._requests:
            self._requests.popleft().answer([], text)

    def drop_all(self, text: str) -> None:
        """Answer all with a reason."""
        while self._requests:
            self.drop_first(text)


def count_problem(count: int) -> str:
    """Say why a request with so many trajectories is refused; empty if it is not."""
    if 1 <= count <= MAX_CANDIDATES:
        return ''
    return f'{count} trajectories; give 1 to {MAX_CANDIDATES}'


def _chunk(place: int, message: Any, observation: Observation, stamp_ns: int) -> ActionChunk:
    trajectory, interface = message_to_trajectory(message), CommandInterface.JOINT_TRAJECTORY
    return ActionChunk(
        chunk_id=place, digest=digest_trajectory(trajectory, interface),
        source='check_candidates', interface=interface, trajectory=trajectory,
        start=replace(observation.joints), stamp_ns=stamp_ns, decide_by_ns=stamp_ns)
