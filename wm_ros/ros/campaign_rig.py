# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph of a campaign: the rig of the fault catalogue with a man in the middle and a clock."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import Trigger

from wm_ros.errors import WorldModelError
from wm_ros.faults.fault import NotMeasured
from wm_ros.msg import GateState, PolicyChunk
from wm_ros.ros import qos
from wm_ros.ros.campaign_middleman import REMAPS, Middleman
from wm_ros.ros.campaign_observer import CampaignObserver
from wm_ros.ros.faults_calls import Calls
from wm_ros.ros.faults_protocol import ProtocolPredictor
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_robot import JOINTS
from wm_ros.ros.faults_wall_clock import SteppedClock

# Where the arm begins each walk: within all limits, and not where zeros would put it.
_START = np.full(len(JOINTS), 0.3)
_STATE_S, _LISTENS_S, _RELEASE_S = 10.0, 20.0, 20.0
# A gate that was killed is still known for a while, and there are many of them.
_ASK_AGAIN_S = 0.3
# Longer than the gate waits for a verdict.
PATIENCE_S = 0.2


class CampaignRig(Rig):
    """
    A rig whose verdicts and heartbeats pass through other hands and whose clock can be stepped.

    :param starter: starts the processes.
    :param commands: command line of 'wm_gate' and 'wm_predictor', without the program.
    :param scratch: directory for the clock.
    :param gate_through: a module, with its arguments, that becomes the gate; for tests of the
        campaign itself.
    """

    observer: CampaignObserver

    def __init__(self, starter: Any, commands: dict[str, list[str]], *, scratch: Path,
                 gate_through: Sequence[str] = (), **arguments: Any) -> None:
        self._gate_through = tuple(gate_through)
        try:
            self.clock: SteppedClock | None = SteppedClock(scratch)
        except NotMeasured:
            # Without a compiler every other fault can still be injected.
            self.clock = None
        super().__init__(starter, {**commands, 'wm_predictor': [
            *commands['wm_predictor'], *REMAPS]}, **arguments)
        self.robot.place(_START)
        self.calls = Calls(self.node, ask_again_s=_ASK_AGAIN_S)
        create = self.node.create_publisher
        self.set_points = create(Float64MultiArray, 'wm_gate/commands', qos.COMMAND_IN)
        self.policy_chunks = create(PolicyChunk, 'wm_gate/action_chunk_in', qos.COMMAND_IN)
        self.button = create(Bool, 'emergency_stop', qos.EMERGENCY_STOP)
        self.thumb = create(Bool, 'wm_gate/bypass', qos.BYPASS)
        self.heal()

    def start(self, name: str, *, through: Sequence[str] = ()) -> None:
        """Start 'wm_gate' or 'wm_predictor' with the clock that can be stepped."""
        before = list(through or (self._gate_through if name == 'wm_gate' else ()))
        if self.clock is not None:
            before = ['wm_ros.ros.faults_wall_clock', str(self.clock.library),
                      str(self.clock.file), *before]
        super().start(name, through=before)

    def now_ns(self) -> int:
        """Return the clock by which everybody stamps, ns."""
        return time.time_ns() if self.clock is None else self.clock.now_ns()

    def heal(self) -> None:
        """End every fault that the rig itself makes, but leave the clock where it is."""
        super().heal()
        self.middleman.heal()
        self.robot.now_ns = self.now_ns
        if self.predictor is not None:
            self.predictor.now_ns = self.now_ns

    def restart_dead(self) -> list[str]:
        """
        Start what does not run; returns the names of what ended without having been killed.

        What was stopped goes on.
        """
        ended = []
        for name in ('wm_gate', *(['wm_predictor'] if self.has_predictor else [])):
            if self.is_started(name):
                if self.is_alive(name):
                    self.pause(name, is_on=False)
                    continue
                ended.append(name)
                self.kill(name)
            self.start(name)
        return ended

    def is_alive(self, name: str) -> bool:
        """Say whether a process that was started has not ended."""
        stat = Path(f'/proc/{self.pid(name)}/stat').read_text(encoding='ascii')
        return stat.rsplit(')', 1)[1].split()[0] != 'Z'

    def waited_ns(self) -> int:
        """Return how long the gate and this process have waited for a processor so far."""
        processes = [os.getpid(), *([self.pid('wm_gate')] if self.is_started('wm_gate') else [])]
        return sum(map(_waited_ns, processes))

    def begin_anew(self) -> list[str]:
        """
        Bring the graph into the state in which every walk begins.

        Nothing of what was before is left: the gate, and wm_predictor where it runs, are
        configured anew, the clock is right again, the arm is at rest at one place, and a harmless
        command was released.

        :returns: the names of processes that had ended by themselves.
        :raises WorldModelError: saying what is in the way.
        """
        self.heal()
        ended = self.restart_dead()
        if self.clock is not None:
            self.clock.step((time.time_ns() - self.clock.now_ns()) / 1e9)
        names = [self.gate_name, *([self.predictor_name] if self.has_predictor else [])]
        for name in names:
            self.calls.bring_to(name, 'unconfigured')
        self.calls.set_together(self.gate_name, use_sim_time=False)
        self.robot.place(_START)
        for name in reversed(names):
            self.calls.bring_to(name, 'active')
        self.need(self._is_heard, _LISTENS_S, lambda: 'wm_gate or wm_predictor does not listen')
        if not self.releases(_RELEASE_S, each_s=PATIENCE_S):
            raise WorldModelError(self.starter.explain(
                f'{self.gate_name} releases nothing: {self.words()}'))
        return ended

    def clear_stop(self) -> None:
        """Clear the emergency stop if the gate reports one."""
        state = self.observer.state
        if state is not None and state.state == GateState.ESTOP:
            self.calls.call(Trigger, f'{self.gate_name}/clear_emergency_stop', Trigger.Request(),
                            timeout_s=_STATE_S)

    def _is_heard(self) -> bool:
        return self._policy.get_subscription_count() > 1 and (
            not self.has_predictor or self._stand_in.get_subscription_count() > 0)

    def _make_observer(self, **common: Any) -> CampaignObserver:
        return CampaignObserver(**common)

    def _make_predictor(self, **common: Any) -> ProtocolPredictor:
        return ProtocolPredictor(cli_args=['--ros-args', *REMAPS], **common)

    def _make_others(self, **common: Any) -> Sequence[Node]:
        self.middleman = Middleman(**common)
        return (self.middleman,)


def _waited_ns(pid: int) -> int:
    """Return how long the first thread of a process has waited; 0 where Linux does not say."""
    try:
        return int(Path(f'/proc/{pid}/schedstat').read_text(encoding='ascii').split()[1])
    except OSError:
        return 0
