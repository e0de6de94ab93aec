# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A package called control_msgs for the tests, where none is installed.

PyPI has no wheel of it. The names and fields are those of ROS 2 Jazzy's control_msgs, as far as
the gate uses them. It is generated once, into build/, and put into the environment of the test
processes that ask for it with the marker ``control_msgs``.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 600.0

FILES = {
    'msg/JointJog.msg': '''std_msgs/Header header
string[] joint_names
float64[] displacements
float64[] velocities
float64 duration
''',
    'msg/SpeedScalingFactor.msg': '''float64 factor
''',
    'msg/JointTolerance.msg': '''string name
float64 position
float64 velocity
float64 acceleration
''',
    'msg/JointComponentTolerance.msg': '''uint16 X_AXIS=1
uint16 Y_AXIS=2
uint16 Z_AXIS=3
uint16 TRANSLATION=4
uint16 ROTATION=5
string joint_name
uint16 component
float64 position
float64 velocity
float64 acceleration
''',
    'action/FollowJointTrajectory.action': '''trajectory_msgs/JointTrajectory trajectory
trajectory_msgs/MultiDOFJointTrajectory multi_dof_trajectory
JointTolerance[] path_tolerance
JointComponentTolerance[] component_path_tolerance
JointTolerance[] goal_tolerance
JointComponentTolerance[] component_goal_tolerance
builtin_interfaces/Duration goal_time_tolerance
---
int32 error_code
int32 SUCCESSFUL = 0
int32 INVALID_GOAL = -1
int32 INVALID_JOINTS = -2
int32 OLD_HEADER_TIMESTAMP = -3
int32 PATH_TOLERANCE_VIOLATED = -4
int32 GOAL_TOLERANCE_VIOLATED = -5
string error_string
---
std_msgs/Header header
string[] joint_names
trajectory_msgs/JointTrajectoryPoint desired
trajectory_msgs/JointTrajectoryPoint actual
trajectory_msgs/JointTrajectoryPoint error
string[] multi_dof_joint_names
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_desired
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_actual
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_error
''',
    'package.xml': '''<?xml version="1.0"?>
<package format="3">
  <name>control_msgs</name>
  <version>0.0.0</version>
  <description>Interfaces for tests.</description>
  <maintainer email="maintainers@wm-ros.dev">The wm_ros maintainers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>action_msgs</depend>
  <depend>builtin_interfaces</depend>
  <depend>std_msgs</depend>
  <depend>trajectory_msgs</depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
''',
    'CMakeLists.txt': '''cmake_minimum_required(VERSION 3.20)
project(control_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(builtin_interfaces REQUIRED)
find_package(std_msgs REQUIRED)
find_package(trajectory_msgs REQUIRED)
rosidl_generate_interfaces(${PROJECT_NAME}
  action/FollowJointTrajectory.action
  msg/JointComponentTolerance.msg msg/JointJog.msg msg/JointTolerance.msg
  msg/SpeedScalingFactor.msg
  DEPENDENCIES builtin_interfaces std_msgs trajectory_msgs)
set(python_target ${PROJECT_NAME}__rosidl_generator_py)
get_target_property(python_includes ${python_target} INTERFACE_INCLUDE_DIRECTORIES)
set_property(TARGET ${python_target} PROPERTY
  INTERFACE_INCLUDE_DIRECTORIES "$<BUILD_INTERFACE:${python_includes}>")
ament_package()
''',
}


def environment() -> dict[str, str]:
    """
    Give an environment in which control_msgs can be imported; builds it if need be.

    :raises RuntimeError: with the end of the build's output.
    """
    if importlib.util.find_spec('control_msgs') is not None:
        return dict(os.environ)
    return _with_prefix(_prefix())


def _prefix() -> Path:
    """Give the directory that the package is installed in, after building it once."""
    key = hashlib.sha256(repr((sorted(FILES.items()), sys.version, sys.prefix)).encode())
    final = ROOT / 'build' / f'control_msgs_for_tests_{key.hexdigest()[:12]}'
    if final.is_dir():
        return final
    final.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as folder:
        source = Path(folder, 'source')
        for name, text in FILES.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        build, prefix = Path(folder, 'build'), Path(folder, 'prefix')
        _run(['cmake', '-S', str(source), '-B', str(build), f'-DCMAKE_INSTALL_PREFIX={prefix}',
              '-DBUILD_TESTING=OFF', f'-DPython3_EXECUTABLE={sys.executable}',
              f'-DPYTHON_EXECUTABLE={sys.executable}'])
        _run(['cmake', '--build', str(build), '--target', 'install', '--parallel', '2'])
        if not final.is_dir():
            shutil.move(prefix, final)
    return final


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f'{command[0]} failed with {done.returncode}:\n{done.stdout[-4000:]}')


def _with_prefix(prefix: Path) -> dict[str, str]:
    """Put an installed package in front of this process's environment."""
    added = {'AMENT_PREFIX_PATH': prefix, 'LD_LIBRARY_PATH': prefix / 'lib'}
    for package in sorted(prefix.glob('**/control_msgs/__init__.py')):
        added['PYTHONPATH'] = package.parents[1]
    found = dict(os.environ)
    for name, path in added.items():
        found[name] = os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])])
    return found
