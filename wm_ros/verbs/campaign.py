# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Walk at random over faults, commands and timing, and see whether a promise can be broken."""

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wm_ros.faults.campaign_report import (
    CampaignReport,
    WalkResult,
    read_failures,
    read_report,
)
from wm_ros.faults.campaign_walk import GENERATOR, Walk, make_walk
from wm_ros.faults.fault import PromiseBroken
from wm_ros.verbs.shared import (
    check_writable,
    console,
    end_on_terminate,
    natural,
    positive,
    progress_bar,
)

_MOST_SHOWN = 12


def run_campaign(arguments: argparse.Namespace) -> None:
    """
    Run walks, shrink what breaks a promise, and write the JSON file after each.

    :raises PromiseBroken: if one was not kept; the JSON file is there all the same.
    """
    check_writable(arguments.json)
    end_on_terminate()
    if arguments.replay is not None:
        replay(arguments)
        return
    seeds = chosen_seeds(arguments)
    report = CampaignReport()
    if arguments.json is not None and arguments.json.exists():
        report = read_report(arguments.json)
    wanted = arguments.faults or 0
    with progress_bar() as progress, open_runner(arguments.logs) as runner:
        task = progress.add_task('faults' if wanted else 'walks', total=wanted or len(seeds))
        for seed in seeds:
            if wanted and report.num_injected >= wanted:
                break
            if seed not in report.seeds:
                _run_one(runner, make_walk(seed), report)
                if arguments.json is not None:
                    report.write(arguments.json)
            progress.update(task, advance=None if wanted else 1,
                            completed=report.num_injected if wanted else None)
    console.print(report.summary())
    if report.num_violations:
        raise PromiseBroken(f'{report.num_violations} promises were broken; the fewest actions '
                            "that break each are under 'failures' of the JSON file")


def replay(arguments: argparse.Namespace) -> None:
    """
    Play the failures of a JSON file again, some times each.

    :raises PromiseBroken: if one of them breaks its promise again.
    """
    failures = read_failures(arguments.replay)
    num_broken = 0
    with open_runner(arguments.logs) as runner:
        for invariant, walk in failures:
            results = [runner.run(walk) for _ in range(arguments.times)]
            broken = [result for result in results if result.breaks(invariant)]
            num_broken += bool(broken)
            console.print(f'seed {walk.seed}, promise {invariant}: broken {len(broken)} of '
                          f'{len(results)} times', markup=False, highlight=False)
            if broken:
                _describe(broken[0], walk)
    if num_broken:
        raise PromiseBroken(f'{num_broken} of {len(failures)} failures happened again')


def chosen_seeds(arguments: argparse.Namespace) -> Sequence[int]:
    """
    Return the seeds that are asked for; without an end where a number of faults ends them.

    :raises ValueError: if nothing says which.
    """
    if arguments.seed is not None:
        return [arguments.seed]
    if arguments.seed_file is not None:
        return read_seeds(arguments.seed_file)
    if arguments.seeds is not None:
        return range(*arguments.seeds)
    if not arguments.faults:
        raise ValueError('say what to run: --seed, --seeds, --seed-file or --faults')
    return range(2**62)


def read_seeds(path: Path) -> list[int]:
    """
    Read a list of seeds.

    :raises ValueError: if it is none, or was made for other walks.
    """
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
    if not isinstance(data, dict) or data.get('generator') != GENERATOR:
        raise ValueError(f"{path}: 'generator' must be {GENERATOR}, by which seeds mean walks")
    seeds = data.get('seeds')
    if not isinstance(seeds, list) or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise ValueError(f"{path}: 'seeds' must be a list of whole numbers from 0")
    return list(dict.fromkeys(seeds))


def seed_range(text: str) -> tuple[int, int]:
    """Read A:B, the seeds from A to B - 1."""
    first, found, last = text.partition(':')
    if not (found and first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f'{text!r} must be A:B with A below B')
    return int(first), int(last)


@contextlib.contextmanager
def open_runner(logs: Path | None) -> Iterator[Any]:
    """Open a CampaignRunner in a ROS domain of its own."""
    # The domain must be chosen before anything of ROS is imported.
    from wm_ros.demo.main import config_file, gate_arguments, predictor_arguments
    from wm_ros.demo.processes import Processes, reserved_domain_id, ros_environment
    with tempfile.TemporaryDirectory() as scratch, reserved_domain_id() as domain_id:
        environment = ros_environment(domain_id, config_file('fastdds.xml'))
        os.environ.update(environment)
        from wm_ros.ros.campaign_session import campaign_session
        commands = {'wm_gate': gate_arguments('enforce'),
                    'wm_predictor': predictor_arguments('default', 'onnxruntime')}
        with Processes(logs or Path(scratch, 'logs'), environment) as processes, (
                campaign_session(processes, commands, Path(scratch))) as runner:
            yield runner


def _run_one(runner: Any, walk: Walk, report: CampaignReport) -> None:
    result = runner.run(walk)
    if not result.violations:
        report.add(result)
        return
    actions = runner.shrink(result)
    report.add(result, actions)
    _describe(result, Walk(seed=walk.seed, graph=walk.graph, actions=actions))


def _describe(result: WalkResult, walk: Walk) -> None:
    """Print what was broken, and by which actions."""
    lines = [f'promise {each.invariant}: {each.words}' for each in result.violations]
    lines = [f'seed {walk.seed}: {len(lines)} violations', *lines[:_MOST_SHOWN],
             *(f'   after {action.gap_ms} ms: {action}' for action in walk.actions)]
    console.print('\n'.join(lines), markup=False, highlight=False, soft_wrap=True)


def add_action(actions: Any) -> None:
    """Add the action 'campaign' to the verb 'faults'."""
    parser = actions.add_parser('campaign', help=__doc__, description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--seed', type=natural, help='run the walk of this seed')
    which.add_argument('--seeds', type=seed_range, metavar='A:B', help='those from A to B - 1')
    which.add_argument('--seed-file', type=Path, help='those that a JSON file lists')
    which.add_argument('--replay', type=Path, metavar='FILE',
                       help='play the shrunk failures of an earlier JSON file again')
    parser.add_argument('--faults', type=positive,
                        help='stop when so many were injected; without seeds from seed 0 on')
    parser.add_argument('--times', type=positive, default=3, help='play a failure so many times')
    parser.add_argument('--json', type=Path, help='write the outcomes there, or go on from there')
    parser.add_argument('--logs', type=Path, help='keep the logs of the processes there')
    parser.set_defaults(run=run_campaign)
