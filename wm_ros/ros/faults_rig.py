# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph around a fault: a robot, a policy, the observer, and the processes under test."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.errors import WorldModelError
from wm_ros.msg import GateState
from wm_ros.ros import qos
from wm_ros.ros.faults_calls import Calls
from wm_ros.ros.faults_graph import GraphProcesses, Starter
from wm_ros.ros.faults_observer import FaultObserver
from wm_ros.ros.faults_predictor import TOPIC as STAND_IN_TOPIC
from wm_ros.ros.faults_protocol import ProtocolPredictor
from wm_ros.ros.faults_robot import FaultRobot
from wm_ros.ros.faults_trajectories import trajectory
from wm_ros.ros.observer_holds import looks_like_hold

_T = TypeVar('_T')

TICK_S = 0.01
_POLL_S = 0.002
_ARM_TIMEOUT_S = 60.0
_STEP_RAD = 0.04
_DIFFERENCE_RAD = 1e-5
_NUM_POINTS = 4


class Rig(GraphProcesses):
    """
    Nodes of this process and how to wait for what they see.

    The nodes run on two threads of the rig's own, the observer on one and all others on the other;
    everything public is for one thread more.

    :param starter: starts the processes.
    :param commands: command line of 'wm_gate' and 'wm_predictor', without the program.
    :param namespace: of all nodes; the processes get it too.
    :param has_predictor: start wm_predictor; else the protocol-only one is in this process.
    :param is_stand_in: of that predictor's model; else it is the one of its checkpoint.
    :param context: of the nodes, initialised.
    """

    def __init__(self, starter: Starter, commands: dict[str, list[str]], *,
                 context: Context, has_predictor: bool, is_stand_in: bool = True,
                 namespace: str = '') -> None:
        super().__init__(starter, commands, namespace=namespace, has_predictor=has_predictor,
                         is_stand_in=is_stand_in)
        self._context = context
        common: dict[str, Any] = {
            'context': context, 'namespace': namespace, 'use_global_arguments': False}
        self.node = Node('fault_rig', **common)
        self.observer = self._make_observer(**common)
        self.robot = FaultRobot(has_camera=has_predictor, **common)
        self.predictor = None if has_predictor else self._make_predictor(**common)
        self._others = self._make_others(**common)
        self.calls = Calls(self.node)
        self.gate_name = f'{namespace}/wm_gate'
        self.predictor_name = f'{namespace}/wm_predictor'
        self._policy = self.node.create_publisher(
            JointTrajectory, 'wm_gate/joint_trajectory', qos.COMMAND_IN)
        self._stand_in = self.node.create_publisher(String, STAND_IN_TOPIC, 1)
        self._direction = 1.0
        self._num_paths = 0
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._threads: list[threading.Thread] = []
        actors = [self.node, self.robot, *self._others]
        self._acting = self._spin(
            context, actors if self.predictor is None else [*actors, self.predictor])
        # A robot must not wait while the observer is flooded.
        self._observing = self._spin(context, [self.observer])

    def close(self) -> None:
        """End the processes of this graph, the thread and the nodes."""
        self.kill_all()
        self._stop.set()
        for thread in self._threads:
            thread.join(5.0)
        for node in (self.node, self.robot, self.predictor, self.observer, *self._others):
            if node is not None:
                node.destroy_node()

    def _make_observer(self, **common: Any) -> FaultObserver:
        return FaultObserver(**common)

    def _make_predictor(self, **common: Any) -> ProtocolPredictor:
        return ProtocolPredictor(**common)

    def _make_others(self, **_common: Any) -> Sequence[Node]:
        """Make what else shall be spun with the robot."""
        return ()

    def sibling(self, namespace: str) -> 'Rig':
        """Make a rig for another robot in the same graph; its owner closes it."""
        return Rig(self.starter, self._commands, context=self._context, namespace=namespace,
                   has_predictor=self.has_predictor)

    def behave(self, text: str) -> None:
        """Tell the model's stand-in how to behave (see faults_predictor)."""
        self._stand_in.publish(String(data=text))

    def heal(self) -> None:
        """End every fault that the rig itself makes."""
        self.robot.heal()
        if self.predictor is not None:
            self.predictor.heal()
        else:
            self.behave('ok')

    def arm(self) -> None:
        """
        Bring everything up and on until a harmless command was released.

        :raises WorldModelError: saying what is in the way.
        """
        if self.has_predictor:
            self.calls.bring_to(self.predictor_name, 'active')
            self.need(lambda: self._stand_in.get_subscription_count() > 0, 20.0,
                      lambda: 'wm_predictor does not listen')
        self.calls.bring_to(self.gate_name, 'active')
        self.need(lambda: self._policy.get_subscription_count() > 1, 20.0,
                  lambda: 'wm_gate does not listen')
        if self.wait(lambda: self._state() == GateState.ESTOP, 0.2):
            self.calls.call(Trigger, f'{self.gate_name}/clear_emergency_stop', Trigger.Request())
        if not self.releases(_ARM_TIMEOUT_S):
            raise WorldModelError(self.starter.explain(
                f'{self.gate_name} releases nothing: {self.words()}'))

    def on_actors(self, act: Callable[[], _T]) -> _T:
        """Run something on the thread of the robot and of ``node``; returns what it returns."""
        return self._on_thread(self._acting, act)

    def clear(self) -> None:
        """Begin a new ledger."""
        self._on_thread(self._observing, self.observer.clear)

    def unverified(self) -> list[str]:
        """Judge the ledger; returns the releases that nothing justifies, in words."""
        self._on_thread(self._observing, lambda: self.observer.settle(is_final=True))
        return list(self.observer.ledger.unverified)

    def words(self) -> str:
        """Return what the gate says of itself and what the last verdict says."""
        state, verdict = self.observer.state, self.observer.verdict
        said = f'state {state.state}: {state.message}' if state else 'it is silent'
        return said + (f'; the last verdict: {verdict.message}' if verdict else '')

    def releases(self, timeout_s: float = 10.0, *, each_s: float = 1.0) -> bool:
        """
        Send harmless commands until one is released; returns whether one was.

        :param each_s: how long to wait for one before the next is sent, s.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.was_released(self.send_harmless(), each_s):
                return True
            time.sleep(0.1 * each_s)
        return False

    def was_released(self, sent_ns: int, timeout_s: float = 1.0) -> bool:
        """Wait for a release (a trajectory, not a hold) after a time; returns whether it came."""
        return self.wait(lambda: any(
            at >= sent_ns and not looks_like_hold(message)
            for at, message in list(self.observer.outputs)), timeout_s)

    def send_harmless(self, seconds: float = 0.4) -> int:
        """Send a small move that ends at rest, there and back by turns; returns when, ns."""
        self._direction = -self._direction
        return self.send(self.path(self._direction * _STEP_RAD, seconds))

    def path(self, step_rad: float = _STEP_RAD, seconds: float = 0.4) -> JointTrajectory:
        """Make a move of the second joint from where the arm is, a little unlike the others."""
        here = self.robot.state()[0]
        # Two equal commands have one digest: the observer could not tell them apart.
        self._num_paths = (self._num_paths + 1) % 1000
        step_rad += _DIFFERENCE_RAD * self._num_paths
        points = []
        for index in range(1, _NUM_POINTS + 1):
            target = here.copy()
            target[1] += step_rad * index / _NUM_POINTS
            points.append((seconds * index / _NUM_POINTS, target))
        return trajectory(points)

    def send(self, message: JointTrajectory) -> int:
        """Send a command as the policy; returns when, ns."""
        at_ns = time.time_ns()
        self._policy.publish(message)
        return at_ns

    def need(self, condition: Callable[[], Any], timeout_s: float,
             failure: Callable[[], str]) -> None:
        """
        Wait for a condition.

        :raises WorldModelError: with the words of ``failure`` if it is not met in time.
        """
        if not self.wait(condition, timeout_s):
            raise WorldModelError(f'{failure()} (waited {timeout_s:g} s)')

    def wait(self, condition: Callable[[], Any], timeout_s: float) -> bool:
        """
        Wait for a condition; returns whether it was met.

        :raises WorldModelError: if a callback of the rig's own nodes has raised.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self._error is not None:
                raise WorldModelError(f'a node of the rig failed: {self._error!r}')
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def stop_after(self, since_ns: int, timeout_s: float = 5.0
                   ) -> tuple[float | None, GateState | None]:
        """Wait for HOLD or ESTOP after a time; returns how long it took, s, and the state."""
        self.wait(lambda: self.observer.first_stop(since_ns) is not None, timeout_s)
        found = self.observer.first_stop(since_ns)
        return ((found[0] - since_ns) / 1e9, found[1]) if found else (None, None)

    def _state(self) -> int:
        return int(self.observer.state.state) if self.observer.state is not None else 0

    def _on_thread(self, executor: SingleThreadedExecutor, act: Callable[[], _T]) -> _T:
        """Run something on an executor's thread, as for the ledger, which the observer's owns."""
        if self._error is not None:
            raise WorldModelError(f'a node of the rig failed: {self._error!r}')
        task = executor.create_task(act)
        self.need(task.done, 30.0, lambda: 'a thread of the rig is stuck')
        return cast(_T, task.result())

    def _spin(self, context: Context, nodes: Sequence[Node]) -> SingleThreadedExecutor:
        """Spin nodes on a thread of their own until the rig is closed."""
        executor = SingleThreadedExecutor(context=context)
        for node in nodes:
            executor.add_node(node)

        def loop() -> None:
            try:
                while not self._stop.is_set():
                    executor.spin_once(timeout_sec=0.05)
            except ExternalShutdownException:
                pass
            except Exception as error:  # named guard: worker loop
                self._error = error
                raise
            finally:
                executor.shutdown(timeout_sec=1.0)

        self._threads.append(threading.Thread(target=loop, name='fault_rig', daemon=True))
        self._threads[-1].start()
        return executor
