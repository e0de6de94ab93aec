# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the same commands ungated and gated, and print the difference."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.verbs.shared import add_verb, check_writable, natural, positive


def demo(arguments: argparse.Namespace) -> None:
    """Run the same commands ungated and gated, and print the difference."""
    from wm_ros.demo.config import DemoConfig
    from wm_ros.demo.main import run_demo
    check_writable(arguments.json)
    run_demo(DemoConfig(
        episodes=arguments.episodes, seed=arguments.seed, mode=arguments.mode,
        headless=arguments.headless, json_path=arguments.json, output_directory=arguments.output,
        checkpoint=arguments.checkpoint, engine=arguments.engine))


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, demo)
    parser.add_argument('--episodes', type=positive, default=4)
    parser.add_argument('--seed', type=natural, default=7)
    parser.add_argument('--mode', choices=['enforce', 'shadow'], default='enforce')
    parser.add_argument('--headless', action='store_true', help='open no window')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--output', type=Path, default=Path('demo_output'))
    parser.add_argument('--checkpoint', default='default')
    parser.add_argument('--engine', default='onnxruntime')
