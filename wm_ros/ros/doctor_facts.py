# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What wm_doctor found out about a graph: plain values, so that checks need no graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """
    One publisher or subscription.

    :param node: full name of its node.
    :param type: message type.
    :param qos: rclpy's profile.
    """

    node: str
    type: str
    qos: Any


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """
    One topic.

    :param role: what it is for, in words.
    :param type: the type that this package wants, '' if any.
    """

    topic: str
    role: str
    type: str
    publishers: Sequence[End] = ()
    subscriptions: Sequence[End] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """
    What came on a topic while it was listened to.

    :param count: messages.
    :param rate_hz: by receipt.
    :param delay_s: from stamp to receipt on the wall clock, the least; NaN if there are no stamps.
    :param newest: the last message, if there was one.
    :param num_bytes: size of the last message.
    """

    count: int = 0
    rate_hz: float = 0.0
    delay_s: float = float('nan')
    newest: Any = None
    num_bytes: int = 0


@dataclass(slots=True, eq=False)
class Facts:
    """
    Everything at once.

    :param gate: full name of the gate; ``predictor`` likewise.
    :param nodes: full names of all nodes, one for each time that it is there.
    :param states: lifecycle state by node.
    :param parameters: of gate and predictor, by node; empty where it did not answer.
    :param cameras: the cameras' topics; all others are single.
    :param heard: by topic.
    :param statuses: newest diagnostics: name to (level, message, values).
    :param clock_count: messages on /clock; ``num_clocks`` how many write it.
    :param middleware: name of the middleware of this process.
    :param segment_bytes: size of the shared-memory segment of this process's DDS profile, 0 if no
        profile sets one; ``profile`` is its path.
    :param topics: type of each topic of the graph.
    """

    gate: str
    predictor: str
    duration_s: float = 0.0
    nodes: Sequence[str] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cameras: Sequence[Wire] = ()
    joints: Wire | None = None
    chunk: Wire | None = None
    verdict: Wire | None = None
    heartbeat: Wire | None = None
    state: Wire | None = None
    command_out: Wire | None = None
    commands_in: Sequence[Wire] = ()
    heard: Mapping[str, Heard] = field(default_factory=dict)
    statuses: Mapping[str, tuple[int, str, Mapping[str, str]]] = field(default_factory=dict)
    clock_count: int = 0
    num_clocks: int = 0
    middleware: str = ''
    segment_bytes: int = 0
    profile: str = ''
    topics: Mapping[str, str] = field(default_factory=dict)

    def wires(self) -> list[Wire]:
        """Return all topics between nodes that matter."""
        return [wire for wire in (
            *self.cameras, self.joints, self.chunk, self.verdict, self.heartbeat, self.state,
            self.command_out, *self.commands_in) if wire is not None]

    def parameter(self, node: str, name: str, default: Any = None) -> Any:
        """Return a parameter, or the default where the node did not tell it."""
        return self.parameters.get(node, {}).get(name, default)

    def heard_on(self, wire: Wire | None) -> Heard:
        """Return what came on a topic."""
        return self.heard.get(wire.topic, Heard()) if wire is not None else Heard()
