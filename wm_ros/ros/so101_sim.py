# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated SO-101 as a ROS node that behaves like a robot's driver."""

import math
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.errors import SimulationError
from wm_ros.ros import diagnostics, qos
from wm_ros.ros.parameters import ConfigParameters
from wm_ros.ros.sim_camera import CameraThread
from wm_ros.ros.sim_commands import array_to_position, trajectory_to_targets
from wm_ros.ros.sim_physics import RealTimePhysics
from wm_ros.ros.sim_publishers import ArmPublisher, CameraPublisher
from wm_ros.ros.so101_sim_config import So101SimConfig
from wm_ros.simulation.play import Play
from wm_ros.simulation.robot import So101Simulation
from wm_ros.simulation.scene import FRONT_CAMERA, WRIST_CAMERA, sample_scene
from wm_ros.srv import Rehearse

_SLOW_FACTOR = 0.95


class So101SimNode(Node):
    """
    A SO-101 arm with a joint trajectory controller, a position controller and cameras.

    It starts by itself and runs at real-time factor 1. A controller's command replaces the one
    before; at the end of a trajectory the arm holds.

    **Subscribes**
    - **arm_controller/joint_trajectory** (trajectory_msgs/JointTrajectory, reliable): all six
      joints, in any order; without points: hold at the measured position. header.stamp is when
      time_from_start begins, 0 means now. A bad command is ignored with a warning.
    - **position_controller/commands** (std_msgs/Float64MultiArray, reliable): six positions, rad.

    **Publishes**
    - **joint_states** (sensor_msgs/JointState, reliable, 50 Hz of simulated time).
    - **camera/image_raw** (sensor_msgs/Image, rgb8 640x480, reliable depth 5),
      **camera/image_raw/compressed** (sensor_msgs/CompressedImage, JPEG) and
      **camera/camera_info** (sensor_msgs/CameraInfo), only while somebody subscribes; the same
      under **wrist_camera** if enabled.
    - **~/contacts** (wm_ros/Contacts, with each joint state): the hazards since the message
      before, for scoring only.
    - **/diagnostics** (diagnostic_msgs/DiagnosticArray, 1 Hz): real-time factor, camera rate.

    **Services**
    - **~/reset** (std_srvs/Trigger): scene and starting pose of parameter seed.
    - **~/rehearse** (wm_ros/Rehearse): run a trajectory on a copy and say whether it ends in a
      hazard.

    **Parameters** see ``So101SimConfig``. camera_offset_m, camera_turn_deg, swap_red_blue and
    light_factor make the pictures wrong from the next one on, as a knock or a bad driver would.

    **Threads** physics steps and publishes joint states and contacts; one thread draws and
    publishes pictures; callbacks only take the physics' lock for a moment. ~/rehearse has a
    callback group of its own, so that with a second executor thread commands need not wait.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """
        Build the scene of the seed and start.

        :raises SimulationError: if the arm's model is missing or the machine cannot draw.
        """
        super().__init__('so101_sim', **node_arguments)
        self._settings = ConfigParameters(self, So101SimConfig)
        config = self._settings.build()
        arm = ArmPublisher(self)
        self._rates = [arm.rate]
        self._physics = RealTimePhysics(self._build_simulation(config.seed), arm.publish)
        self._cameras = self._build_cameras(config)
        self._build_commands()
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(Rehearse, '~/rehearse', self._on_rehearse,
                            callback_group=MutuallyExclusiveCallbackGroup())
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self.create_timer(1.0, self._report)
        self._cameras.start()
        self._physics.start()

    def close(self) -> None:
        """Stop both threads and close the cameras; safe to call twice."""
        self._physics.stop()
        self._cameras.stop()

    def destroy_node(self) -> None:
        """Stop the threads, then destroy the node."""
        self.close()
        super().destroy_node()

    @property
    def _config(self) -> So101SimConfig:
        config = self._settings.config
        assert config is not None
        return config

    def _build_simulation(self, seed: int) -> So101Simulation:
        scene = sample_scene(seed)
        simulation = So101Simulation(scene)
        simulation.place(Play(seed, scene).start())
        return simulation

    def _build_cameras(self, config: So101SimConfig) -> CameraThread:
        named = {FRONT_CAMERA: ('camera', config.camera_frame_id)}
        if config.enable_wrist_camera:
            named[WRIST_CAMERA] = ('wrist_camera', config.wrist_camera_frame_id)
        model = self._physics.copy()[0].model
        publishers = {
            name: CameraPublisher(
                self, topic, frame_id=frame_id,
                fovy_rad=math.radians(float(model.camera(name).fovy[0])),
                jpeg_quality=lambda: self._config.jpeg_quality)
            for name, (topic, frame_id) in named.items()}
        self._rates += [item.rate for item in publishers.values()]
        return CameraThread(
            self._physics, {name: item.publish for name, item in publishers.items()},
            is_wanted=lambda name: publishers[name].is_wanted(),
            rate_hz=lambda: self._config.camera_rate_hz,
            now_ns=lambda: self.get_clock().now().nanoseconds,
            perturbation=lambda name: self._config.perturbation(
                is_fixed_camera=name == FRONT_CAMERA))

    def _build_commands(self) -> None:
        self.create_subscription(
            JointTrajectory, 'arm_controller/joint_trajectory',
            self._guard(self._on_trajectory), qos.COMMAND_IN)
        self.create_subscription(
            Float64MultiArray, 'position_controller/commands',
            self._guard(self._on_positions), qos.COMMAND_IN)

    def _guard(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """Ignore a command that is wrong, and say why."""
        def callback(message: Any) -> None:
            try:
                take(message)
            except ValueError as error:
                self.get_logger().warning(f'command ignored: {error}')
        return callback

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if not message.points:
            self._physics.hold()
            return
        self._physics.follow(
            *trajectory_to_targets(message, self.get_clock().now().nanoseconds))

    def _on_positions(self, message: Float64MultiArray) -> None:
        self._physics.set_position(array_to_position(message.data))

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Any:
        seed = self._config.seed
        simulation = self._build_simulation(seed)
        self._physics.replace(simulation)
        response.success = True
        response.message = f'scene of seed {seed} with {len(simulation.scene.objects)} objects'
        return response

    def _on_rehearse(self, request: Rehearse.Request, response: Rehearse.Response) -> Any:
        """Answer on a copy; runs in an executor thread of its own where there are two."""
        response.first_hazard_s = -1.0
        try:
            if not request.trajectory.points:
                raise ValueError('the trajectory has no points')
            times, positions = trajectory_to_targets(
                request.trajectory, self.get_clock().now().nanoseconds)
        except ValueError as error:
            response.message = str(error)
            return response
        found = self._physics.rehearse(times, positions)
        response.success = True
        response.hazard = found.first_hazard_s is not None
        if found.first_hazard_s is not None:
            response.first_hazard_s = found.first_hazard_s
        response.pairs = ['|'.join(contact.pair) for contact in found.contacts]
        return response

    def _report(self) -> None:
        """Publish diagnostics, and end the process if a thread has died."""
        for name, error in (('physics', self._physics.error), ('camera', self._cameras.error)):
            if error is not None:
                raise SimulationError(f'the {name} thread ended: {error!r}') from error
        factor = self._physics.real_time_factor
        is_slow = factor < _SLOW_FACTOR
        status = diagnostics.status(
            f'{self.get_name()}: simulation', diagnostics.WARN if is_slow else diagnostics.OK,
            'slower than real time' if is_slow else 'ok', hardware_id='so101',
            values={'real_time_factor': factor, 'seed': self._config.seed,
                    'camera_rate_hz': self._cameras.measured_rate_hz,
                    'draw_ms': self._cameras.draw_ms})
        self._diagnostics.publish(
            diagnostics.array(self.get_clock().now().to_msg(), status,
                              *(rate.status(self.get_name()) for rate in self._rates)))
