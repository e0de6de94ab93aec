# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
URDFs to test with: a planar arm of two joints whose figures can be worked out by hand.

Joints 'a' and 'b' turn about z; the upper arm is 0.5 m long, the lower 0.3 m. At zero the arm lies
along x and its tip is at (0.8, 0, 0).
"""

LINK = '<link name="{0}"/>'


def planar_urdf(
        limit_a: str = 'lower="-2" upper="2" velocity="3"',
        limit_b: str = 'lower="-2.5" upper="2.5" velocity="3"',
        kind_b: str = 'revolute') -> str:
    """Make the arm; the attributes of both limits may be given."""
    links = ''.join(LINK.format(name) for name in ('base', 'upper', 'lower', 'tip'))
    return f'''<?xml version="1.0"?>
<robot name="planar">{links}
<joint name="a" type="revolute"><parent link="base"/><child link="upper"/>
<axis xyz="0 0 1"/><limit effort="1" {limit_a}/></joint>
<joint name="b" type="{kind_b}"><parent link="upper"/><child link="lower"/>
<origin xyz="0.5 0 0"/><axis xyz="0 0 1"/><limit effort="1" {limit_b}/></joint>
<joint name="to_tip" type="fixed"><parent link="lower"/><child link="tip"/>
<origin xyz="0.3 0 0"/></joint>
</robot>'''
