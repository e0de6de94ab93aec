# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The commands before the predictor: one under judgement and at most one waiting, the newest.

A newer command replaces the waiting one and never the one under judgement; otherwise a stream
faster than a check would get no verdict at all. Probes and checks release nothing and are kept
apart, so that no mix-up can turn one into a command.
"""

from dataclasses import dataclass

from wm_ros.datatypes import ActionChunk, CommandInterface, JointSample, Trajectory, Verdict
from wm_ros.gate.digest import digest_trajectory
from wm_ros.gate.requests import Request
from wm_ros.gate.speeds import OWN_SPEED, Speeds
from wm_ros.gate.values import NS_PER_S, Now


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """
    A chunk under judgement.

    :param chunk: what the predictor was asked about.
    :param received_steady_ns: when the command came, steady clock.
    :param deadline_steady_ns: the same moment as decide_by, steady clock.
    """

    chunk: ActionChunk
    received_steady_ns: int
    deadline_steady_ns: int

    def is_about(self, verdict: Verdict) -> bool:
        """Tell whether a verdict names this chunk and exactly this command."""
        chunk = self.chunk
        return verdict.chunk_id == chunk.chunk_id and verdict.digest == chunk.digest

    def is_late(self, now: Now) -> bool:
        """Tell whether the time to decide is over, on either clock."""
        return now.steady_ns > self.deadline_steady_ns or now.ros_ns > self.chunk.decide_by_ns


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A command that waits for the predictor, and when it came."""

    command: Request
    received: Now


class Docket:
    """
    Chunks out for judgement.

    :param first_chunk_id: ids count up from here; a restarted gate must not repeat ids.
    """

    def __init__(self, first_chunk_id: int) -> None:
        self._next_id = first_chunk_id
        self.judged: Case | None = None
        self.waiting: Waiting | None = None
        self.probe: Case | None = None
        self.check: Case | None = None
        self.unsent_check: Case | None = None

    @property
    def is_busy(self) -> bool:
        """Tell whether a command is under judgement or waits for it."""
        return self.judged is not None or self.waiting is not None

    def open(  # noqa: A003
            self, trajectory: Trajectory, start: JointSample, *, source: str,
            interface: CommandInterface, received: Now, allowed_s: float,
            speeds: Speeds = OWN_SPEED) -> Case:
        """
        Make the next chunk and its deadlines.

        :param received: when the gate took the command.
        :param allowed_s: time to decide from then, s.
        :param speeds: at which else it may be judged.
        """
        chunk_id, self._next_id = self._next_id, self._next_id + 1
        allowed_ns = round(allowed_s * NS_PER_S)
        chunk = ActionChunk(
            chunk_id=chunk_id, digest=digest_trajectory(trajectory, interface), source=source,
            interface=interface, trajectory=trajectory, start=start, stamp_ns=received.ros_ns,
            decide_by_ns=received.ros_ns + allowed_ns, slow_factor=speeds.slow_factor,
            escape_factor=speeds.escape_factor)
        return Case(
            chunk=chunk, received_steady_ns=received.steady_ns,
            deadline_steady_ns=received.steady_ns + allowed_ns)

    def drop_commands(self) -> int:
        """
        Drop the command under judgement and the one waiting.

        :returns: how many were dropped.
        """
        dropped = (self.judged is not None) + (self.waiting is not None)
        self.judged = self.waiting = None
        return dropped

    def drop_all(self) -> int:
        """Drop everything, probes and checks too; return the number of commands."""
        self.probe = self.check = self.unsent_check = None
        return self.drop_commands()
