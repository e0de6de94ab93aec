# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a seed to a walk: a list of actions that depends on nothing else."""

import random
from dataclasses import dataclass

from wm_ros.faults.campaign_action import KINDS, Action, Kind
from wm_ros.faults.fault import Graph

# Changes whenever the same seed gives another walk; a report says of which it is.
GENERATOR = 1

_FEWEST_FAULTS, _MOST_FAULTS = 25, 45
# Seeds in a row share a graph, because another one takes seconds to start.
_PREDICTOR_SHARE, _BLOCK = 6, 40
_MOVE_CHANCE = 0.6
_MOVE_GAP_MS, _FAULT_GAP_MS = (10, 60), (10, 80)


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """
    What is done, in that order, to a graph in its known state.

    :param seed: that it came from; -1 for one that was shrunk or written by hand.
    :param graph: what has to run.
    """

    seed: int
    graph: Graph
    actions: tuple[Action, ...]

    @property
    def num_faults(self) -> int:
        """Return how many of the actions are faults."""
        return sum(action.kind != 'move' for action in self.actions)


def make_walk(seed: int) -> Walk:
    """
    Make the walk of a seed, the same on every machine.

    :raises ValueError: if the seed is negative.
    """
    if seed < 0:
        raise ValueError(f'seed is {seed}; it must not be negative')
    # Text is hashed the same everywhere; neighbouring whole numbers may give alike beginnings.
    draw = random.Random(f'wm_ros campaign {GENERATOR} {seed}')
    graph = Graph.GATE if seed % _BLOCK < _BLOCK - _PREDICTOR_SHARE else Graph.PREDICTOR
    left = {name: kind.most for name, kind in KINDS.items()
            if kind.weight and kind.graph in (None, graph)}
    actions: list[Action] = []
    for _ in range(draw.randint(_FEWEST_FAULTS, _MOST_FAULTS)):
        if draw.random() < _MOVE_CHANCE:
            actions.append(_draw_action(draw, 'move', KINDS['move'], _MOVE_GAP_MS))
        names = [name for name, most in left.items() if most]
        name = draw.choices(names, [KINDS[name].weight for name in names])[0]
        left[name] -= 1
        actions.append(_draw_action(draw, name, KINDS[name], _FAULT_GAP_MS))
    return Walk(seed=seed, graph=graph, actions=tuple(actions))


def _draw_action(draw: random.Random, name: str, kind: Kind, gap_ms: tuple[int, int]) -> Action:
    variant = draw.choice(list(kind.variants))
    return Action(
        kind=name, variant=variant, gap_ms=draw.randint(*gap_ms),
        for_ms=draw.randint(*kind.for_ms), value=draw.choice(kind.variants[variant]))
