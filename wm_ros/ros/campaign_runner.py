# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make walks one after the other on one graph, judge each, and shrink what breaks a promise.

The main rule: a walk begins in a known state (CampaignRig.begin_anew) and ends with a harmless
command that must be released: a gate that only holds would keep every other promise.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from rclpy.context import Context
from std_srvs.srv import SetBool

from wm_ros.errors import WorldModelError
from wm_ros.faults.campaign_action import Action
from wm_ros.faults.campaign_judge import Violation, judge
from wm_ros.faults.campaign_report import WalkResult
from wm_ros.faults.campaign_shrinking import shrink
from wm_ros.faults.campaign_walk import Walk
from wm_ros.faults.fault import Graph
from wm_ros.ros import campaign_acts_commands, campaign_acts_graph, campaign_acts_inputs
from wm_ros.ros.campaign_rig import PATIENCE_S, CampaignRig
from wm_ros.ros.campaign_stage import Act, Stage
from wm_ros.ros.faults_graph import Starter

ACTS: dict[str, Act] = {**campaign_acts_commands.ACTS, **campaign_acts_graph.ACTS,
                        **campaign_acts_inputs.ACTS}
# Whatever was said on the wire has come in after this.
_SETTLE_S = 0.15
# In which a healed graph must release a harmless command again.
LIVENESS_S = 20.0
# Of the joints, which come every 20 ms; the gate holds after 150 ms without.
_STARVED_S = 0.08
_PATIENT = 5.0


class CampaignRunner:
    """
    Run walks, each on a graph that is there if it is the right one, else on a new one.

    :param starter: starts the processes under test.
    :param commands: command line of 'wm_gate' and 'wm_predictor', without the program.
    :param context: of the nodes of this process, initialised.
    :param scratch: directory for what the graph needs.
    :param gate_through: a module, with its arguments, that becomes the gate; to try the campaign
        on a gate that is known to be wrong.
    :param liveness_s: after which a healed graph that releases nothing has broken a promise, s.
    """

    def __init__(self, starter: Starter, commands: dict[str, list[str]], *, context: Context,
                 scratch: Path, gate_through: Sequence[str] = (),
                 liveness_s: float = LIVENESS_S) -> None:
        self._starter, self._commands, self._context = starter, commands, context
        self._scratch, self._gate_through = scratch, gate_through
        self._liveness_s = liveness_s
        self._rig: CampaignRig | None = None
        self._graph = Graph.NONE

    def close(self) -> None:
        """End the graph; its processes too."""
        if self._rig is not None:
            self._rig.close()
        self._rig, self._graph = None, Graph.NONE

    def run(self, walk: Walk) -> WalkResult:
        """
        Make a walk and judge it.

        :raises WorldModelError: if not even a new graph comes into the known state.
        """
        begin_s = time.monotonic()
        rig = self._prepared(walk.graph)
        rig.clear()
        stage = Stage(rig, ACTS)
        violations, released_after_s = [], None
        try:
            stage.play(walk.actions)
            released_after_s = self._release_again(rig, stage)
        except WorldModelError as error:
            # What no longer answers cannot be relied on.
            violations.append(Violation(invariant='alive', words=str(error)))
        time.sleep(_SETTLE_S)
        unverified = rig.unverified()
        ledger = rig.observer.ledger
        violations += [*ledger.violations, *judge(rig.observer.record(), ledger.timeline),
                       *stage.violations, *rig.observer.durability()]
        known = {violation.words for violation in ledger.violations}
        violations += [Violation(invariant='2', words=words) for words in unverified
                       if words not in known]
        if any(violation.invariant in ('alive', 'liveness') for violation in violations):
            self.close()
        violations.sort(key=lambda violation: violation.at_ns or 2**63)
        return WalkResult(
            walk=walk, counts=dict(sorted(stage.counts.items())), violations=tuple(violations),
            last_action=_last_action(stage, violations), released_after_s=released_after_s,
            duration_s=time.monotonic() - begin_s)

    def shrink(self, result: WalkResult, *, most_tries: int = 60) -> tuple[Action, ...]:
        """
        Find the few actions of a walk that break the same promise again.

        :returns: all of them if it is not broken again.
        """
        invariant, walk = result.violations[0].invariant, result.walk

        def fails(actions: Sequence[Action]) -> bool:
            again = Walk(seed=-1, graph=walk.graph, actions=tuple(actions))
            return self.run(again).breaks(invariant)

        return tuple(shrink(
            walk.actions, fails, last=result.last_action, most_tries=most_tries))

    def _release_again(self, rig: CampaignRig, stage: Stage) -> float | None:
        """End every fault; returns how long it took until a command was released, s."""
        rig.heal()
        stage.timeline.close_windows(time.time_ns())
        ended = rig.restart_dead()
        for name in ended:
            stage.violations.append(Violation(
                invariant='alive', words=self._starter.explain(f'{name} ended by itself')))
        begin_s = time.monotonic()
        rig.calls.bring_to(rig.gate_name, 'active')
        rig.robot.take_longest_gap_s()
        limit_s = self._liveness_s
        while (took_s := time.monotonic() - begin_s) < limit_s:
            # A gate is right to hold without joints, and this robot may have been starved.
            if rig.robot.take_longest_gap_s() > _STARVED_S:
                limit_s = min(took_s + self._liveness_s, _PATIENT * self._liveness_s)
            rig.clear_stop()
            rig.calls.call(SetBool, f'{rig.gate_name}/engage', SetBool.Request(data=True))
            # It may release late here as well because it waits for a processor.
            stage.note_wait()
            is_released = rig.releases(1.0, each_s=PATIENCE_S)
            stage.note_wait()
            if is_released:
                return round(time.monotonic() - begin_s, 3)
        stage.violations.append(Violation(invariant='liveness', words=(
            f'nothing was released {limit_s:.0f} s after the last fault: {rig.words()}')))
        return None

    def _prepared(self, graph: Graph) -> CampaignRig:
        """
        Return a rig in the known state.

        :raises WorldModelError: if not even a new graph comes into it.
        """
        if self._rig is not None and self._graph is graph:
            try:
                self._rig.begin_anew()
                return self._rig
            except WorldModelError:
                pass
        self.close()
        self._rig = CampaignRig(
            self._starter, self._commands, context=self._context, scratch=self._scratch,
            gate_through=self._gate_through, has_predictor=graph is Graph.PREDICTOR)
        self._graph = graph
        self._rig.begin_anew()
        return self._rig


def _last_action(stage: Stage, violations: Sequence[Violation]) -> int | None:
    """Return the index of the action that had been begun before the first violation."""
    if not violations:
        return None
    at_ns = violations[0].at_ns or 2**63
    return max(0, sum(begun <= at_ns for begun in stage.begun) - 1)
