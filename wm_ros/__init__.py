# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predict what the camera will see before a robot's command runs, and hold what is unsafe."""

from pkgutil import extend_path

__version__ = '0.1.0'

# A source tree that stands first on sys.path (python -m, pytest) would hide the generated
# wm_ros.msg and wm_ros.srv, which exist only in the built overlay: search both.
__path__ = extend_path(__path__, __name__)
