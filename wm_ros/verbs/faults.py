# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inject faults into a graph of this package's own, and measure what was promised."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wm_ros.faults.catalogue import CATALOGUE, find_fault
from wm_ros.faults.fault import Fault, Outcome, PromiseBroken
from wm_ros.faults.report import Report, describe
from wm_ros.verbs import campaign, soak
from wm_ros.verbs.shared import check_writable, console, end_on_terminate, positive


def list_faults(_arguments: argparse.Namespace) -> None:
    """List the catalogue: what is injected, and what is promised."""
    for fault in CATALOGUE:
        lines = [f'{fault.number:2d} {fault.name}' + (' (slow)' if fault.is_slow else ''),
                 f'   injected: {fault.injected}', f'   promised: {fault.promise}',
                 f'   graph: {fault.graph.value}']
        lines += [f'   not measured: {fault.missing}'] if fault.missing else []
        console.print('\n'.join(lines), markup=False, highlight=False, soft_wrap=True)


def run_named(arguments: argparse.Namespace) -> None:
    """Run some faults by name or number."""
    run_faults([find_fault(name) for name in arguments.names], arguments)


def run_all(arguments: argparse.Namespace) -> None:
    """Run every fault of the catalogue."""
    run_faults([fault for fault in CATALOGUE if not (arguments.fast and fault.is_slow)],
               arguments)


def run_faults(faults: Sequence[Fault], arguments: argparse.Namespace) -> None:
    """
    Run faults, print promise against measurement, and write the JSON file.

    :raises PromiseBroken: if one was not kept; the JSON file is there all the same.
    """
    check_writable(arguments.json)
    end_on_terminate()
    report, faults = Report(), list(dict.fromkeys(faults))
    with tempfile.TemporaryDirectory() as scratch:
        for fault, outcome in _run(faults, arguments.logs or Path(scratch), arguments.repeat):
            outcome = report.add(fault, outcome)
            if len(report.outcomes[fault]) == arguments.repeat:
                console.print(describe(fault, outcome), markup=False, highlight=False,
                              soft_wrap=True)
            # After each, so that what was finished is kept when somebody stops the rest.
            if arguments.json is not None:
                report.write(arguments.json)
    console.print(report.summary())
    if report.num_broken or report.unsafe_releases:
        raise PromiseBroken(f'{report.num_broken} promises were not kept')


def _run(faults: Sequence[Fault], logs: Path, repeat: int) -> Iterator[tuple[Fault, Outcome]]:
    # The domain must be chosen before anything of ROS is imported.
    from wm_ros.demo.main import config_file, gate_arguments, predictor_arguments
    from wm_ros.demo.processes import Processes, reserved_domain_id, ros_environment
    with reserved_domain_id() as domain_id:
        environment = ros_environment(domain_id, config_file('fastdds.xml'))
        os.environ.update(environment)
        from wm_ros.ros.faults_session import run_session
        commands = {'wm_gate': gate_arguments('enforce'),
                    'wm_predictor': predictor_arguments('default', 'onnxruntime')}
        with Processes(logs, environment) as processes, contextlib.closing(
                run_session(processes, commands, faults, repeat=repeat)) as session:
            yield from session


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = verbs.add_parser('faults', help=__doc__, description=__doc__)
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    actions.add_parser('list', help=list_faults.__doc__).set_defaults(run=list_faults)
    one = actions.add_parser('run', help=run_named.__doc__)
    one.add_argument('names', nargs='+', metavar='NAME', help='name or number of a fault')
    one.set_defaults(run=run_named)
    every = actions.add_parser('run-all', help=run_all.__doc__)
    every.add_argument('--fast', action='store_true', help='leave out what takes long')
    every.set_defaults(run=run_all)
    campaign.add_action(actions)
    for action in (one, every):
        action.add_argument('--repeat', type=positive, default=1, metavar='N',
                            help='run each N times and tell the least, median and greatest time')
        action.add_argument('--json', type=Path, help='write the outcomes there')
        action.add_argument('--logs', type=Path, help='keep the logs of the processes there')
    soak.add_action(actions)
