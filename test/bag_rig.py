# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write small real bags with rosbags' own writers."""

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from wm_ros.data.bag_reader import typestore
from wm_ros.data.episode import encode_frame

MS = 1_000_000
PLUGINS = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
CAMERA, JOINTS = '/camera/image_raw', '/joint_states'
COMMAND = '/arm_controller/joint_trajectory'
NOTHING = np.zeros(0)


def new(kind, **fields):
    """Make a message of a type such as std_msgs/msg/Bool."""
    return typestore().types[kind](**fields)


def time(stamp_ns, kind='Time'):
    """Make a stamp or a duration."""
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return new(f'builtin_interfaces/msg/{kind}', sec=sec, nanosec=nanosec)


def header(stamp_ns):
    """Make a header."""
    return new('std_msgs/msg/Header', stamp=time(stamp_ns), frame_id='')


def picture(value, height=48, width=64):
    """Make a picture, RGB, that no other value gives."""
    rgb = np.full((height, width, 3), (value % 256, 100, 50), np.uint8)
    rgb[::2, ::3] = 200
    return rgb


class BagRig:
    """A bag in the making; times are ms, of header and of recording alike."""

    def __init__(self, path, storage='mcap'):
        self.path = path
        self._writer = Writer(path, version=8, storage_plugin=PLUGINS[storage])
        self._connections = {}

    def __enter__(self):
        self._writer.open()
        return self

    def __exit__(self, *_):
        self._writer.close()

    def write(self, topic, kind, message, at_ms):
        """Write any message."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=typestore())
        self._writer.write(self._connections[topic], at_ms * MS,
                           typestore().serialize_cdr(message, kind))

    def image(self, rgb, at_ms, *, encoding='rgb8', pad=0, stamp_ms=None):
        """Write a raw image whose rows are padded with rubbish."""
        order = [2, 1, 0] if encoding.startswith('bgr') else [0, 1, 2]
        pixels = rgb[:, :, order]
        if encoding.endswith('a8'):
            pixels = np.concatenate([pixels, np.full_like(pixels[:, :, :1], 77)], axis=2)
        height, width = rgb.shape[:2]
        rows = np.concatenate([pixels.reshape(height, -1), np.full((height, pad), 99, np.uint8)],
                              axis=1)
        self.write(CAMERA, 'sensor_msgs/msg/Image', new(
            'sensor_msgs/msg/Image', header=header((at_ms if stamp_ms is None else stamp_ms) * MS),
            height=height, width=width, encoding=encoding, is_bigendian=0, step=rows.shape[1],
            data=rows.reshape(-1)), at_ms)

    def jpeg(self, data, at_ms):
        """Write a compressed image."""
        self.write(CAMERA, 'sensor_msgs/msg/CompressedImage', new(
            'sensor_msgs/msg/CompressedImage', header=header(at_ms * MS), format='jpeg',
            data=np.frombuffer(data, np.uint8)), at_ms)

    def joints(self, positions, at_ms, *, names=('a', 'b'), stamp_ms=None, **more):
        """Write a joint state."""
        self.write(JOINTS, 'sensor_msgs/msg/JointState', new(
            'sensor_msgs/msg/JointState',
            header=header((at_ms if stamp_ms is None else stamp_ms) * MS), name=list(names),
            position=np.array(positions, float), velocity=more.get('velocity', NOTHING),
            effort=more.get('effort', NOTHING)), at_ms)

    def trajectory(self, points, at_ms, *, names=('a', 'b'), stamp_ms=None):
        """Write a command, points of (ms from the start, positions)."""
        self.write(COMMAND, 'trajectory_msgs/msg/JointTrajectory', new(
            'trajectory_msgs/msg/JointTrajectory',
            header=header((at_ms if stamp_ms is None else stamp_ms) * MS), joint_names=list(names),
            points=[new('trajectory_msgs/msg/JointTrajectoryPoint',
                        positions=np.array(positions, float), velocities=NOTHING,
                        accelerations=NOTHING, effort=NOTHING,
                        time_from_start=time(after * MS, 'Duration'))
                    for after, positions in points]), at_ms)

    def array(self, values, at_ms, topic='/forward/commands'):
        """Write a Float64MultiArray."""
        self.write(topic, 'std_msgs/msg/Float64MultiArray', new(
            'std_msgs/msg/Float64MultiArray', layout=new(
                'std_msgs/msg/MultiArrayLayout', dim=[], data_offset=0),
            data=np.array(values, float)), at_ms)

    def boolean(self, topic, value, at_ms):
        """Write a Bool."""
        self.write(topic, 'std_msgs/msg/Bool', new('std_msgs/msg/Bool', data=value), at_ms)

    def contacts(self, pairs, at_ms):
        """Write this package's Contacts."""
        self.write('/contacts', 'wm_ros/msg/Contacts', new(
            'wm_ros/msg/Contacts', header=header(at_ms * MS), hazard=bool(pairs),
            pairs=list(pairs), forces=np.ones(len(pairs))), at_ms)


def write_plain(rig, *, num_frames=4, start_ms=1000, size=(48, 64)):
    """Write pictures each 100 ms, joints each 50 ms and a command, as a robot would."""
    end_ms = start_ms + 100 * (num_frames - 1)
    for at_ms in range(start_ms, end_ms + 1, 50):
        rig.joints([at_ms / 1000, 2.0], at_ms)
        if at_ms == start_ms + 50:
            rig.trajectory([(100, [3.0, 2.0])], at_ms)
        if (at_ms - start_ms) % 100 == 0:
            rig.jpeg(encode_frame(picture(at_ms, *size)), at_ms)
