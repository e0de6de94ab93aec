# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Become a Python module inside a network namespace: NAMESPACE MODULE ARGUMENT...

DDS speaks over the network there: no shared memory, which namespaces would share, and not only
on the loopback, which they do not share.
"""

import os
import sys

from wm_ros.inference.checkpoint import resolve_checkpoint

_PROFILE = 'fastdds_udp.xml'


def main() -> None:
    """Replace this process; its id stays."""
    namespace, module, *arguments = sys.argv[1:]
    # Models and configuration are neighbours, in the source tree and where they are installed.
    profile = resolve_checkpoint('default').parents[1] / 'config' / _PROFILE
    os.environ |= {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
                   'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile),
                   'PATH': f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    os.execvp('ip', ['ip', 'netns', 'exec', namespace, sys.executable, '-m', module, *arguments])


if __name__ == '__main__':
    main()
