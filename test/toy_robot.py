# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot of two joints in a package of its own: a swinging bar with a gripper, and a ball."""

import importlib
from pathlib import Path

MJCF = '''
<mujoco>
  <worldbody>
    <light pos="0 0 2"/>
    <camera name="eye" pos="0 -1.5 0.6" xyaxes="1 0 0 0 0.3 1"/>
    <body name="table"><geom type="box" size="1 1 0.05" pos="0 0 -0.05"/></body>
    <body name="ball"><freejoint/><geom type="sphere" size="0.05" mass="0.1"/></body>
    <body name="arm/bar" pos="0 0 0.45">
      <joint name="swing" type="hinge" axis="0 1 0" damping="1"/>
      <joint name="loose" type="hinge" axis="0 0 1" damping="1"/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.02" mass="0.2"/>
      <body name="arm/left" pos="0.45 0 0">
        <joint name="left" type="slide" axis="0 1 0" damping="1"/>
        <geom type="box" size="0.05 0.005 0.02" mass="0.01"/>
      </body>
      <body name="arm/right" pos="0.45 0 0">
        <joint name="right" type="slide" axis="0 1 0" damping="1"/>
        <geom type="box" size="0.05 0.005 0.02" mass="0.01"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position joint="swing" kp="100" ctrllimited="true" ctrlrange="-1.5 1.5"/>
    <position joint="left" kp="200" ctrllimited="true" ctrlrange="0 0.05"/>
    <position joint="right" kp="200" ctrllimited="true" ctrlrange="-0.04 0"/>
    <motor joint="loose"/>
  </actuator>
</mujoco>
'''

YAML = '''
name: toy
model: {package: toy_robot_model, file: assets/robot.xml}
camera: {name: eye, width_px: 48, height_px: 32, oversampling: 1}
joints:
  - {name: swing, home: 0.0, play: [-0.5, 1.0], drives: [{joint: swing}]}
  - name: grip
    home: 0.5
    play: [0.2, 0.7]
    drives:
      - {joint: left, scale: 0.04, offset: 0.01}
      - {joint: right, scale: -0.04, offset: -0.01}
play: {tips: [arm/left]}
hazards:
  - {kind: ball, bodies: ['arm/*'], touching: [ball]}
  - {kind: table, bodies: ['arm/*'], touching: [table]}
objects:
  - {body: ball, x: [0.3, 0.4], y: [-0.1, 0.1], z: 0.05}
light: [0.5, 1.0]
timing: {episode_s: 0.6}
'''


def install_toy_robot(directory: Path, monkeypatch) -> Path:
    """
    Put the package of the MJCF file on the path and the YAML file beside it.

    Importing the package fails: it must be found without.
    """
    package = directory / 'toy_robot_model'
    (package / 'assets').mkdir(parents=True)
    (package / '__init__.py').write_text('raise RuntimeError("must not be imported")\n')
    (package / 'assets' / 'robot.xml').write_text(MJCF)
    monkeypatch.syspath_prepend(str(directory))
    importlib.invalidate_caches()
    path = directory / 'toy.yaml'
    path.write_text(YAML)
    return path
