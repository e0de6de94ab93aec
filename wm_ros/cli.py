# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``wm-ros`` command: one function for each verb, in ``wm_ros.verbs``.

Exit codes: 0 done, 1 failed, 2 wrong usage. Errors go to stderr in one line.
"""

import argparse
import sys
from collections.abc import Sequence

from wm_ros.errors import WorldModelError
from wm_ros.verbs import (
    benchmark,
    build_engine,
    calibrate,
    collect,
    dataset,
    demo,
    doctor,
    evaluate,
    export_dataset,
    faults,
    import_data,
    record,
    replay,
    rollout,
    score,
    train,
)

_MODULES = (collect, record, import_data, export_dataset, dataset, train, evaluate, calibrate,
            rollout, replay, score, doctor, faults, build_engine, benchmark, demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    arguments = _build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except ValueError as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}\n')
        return 2
    except (WorldModelError, OSError) as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}\n')
        return 1
    except ImportError as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}; install what this verb needs: '
                         f'{_EXTRAS.get(arguments.verb, "make setup")}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f'wm-ros {arguments.verb}: stopped; what was finished is kept\n')
        return 130


_DATA = "pip install 'wm_ros[data]'"
_EXTRAS = {'import': _DATA, 'export-dataset': _DATA, 'dataset': _DATA,
           'replay': _DATA, 'score': _DATA,
           'train': "pip install 'wm_ros[train]'", 'export': "pip install 'wm_ros[train]'",
           'collect': "pip install 'wm_ros[sim]'", 'evaluate': "pip install 'wm_ros[sim,train]'",
           'rollout': "pip install 'wm_ros[train]'",
           'build-engine': "pip install 'wm_ros[train,tensorrt]'",
           'benchmark': "pip install 'wm_ros[sim,train,bench]'"}


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='wm-ros', description='Predict the consequence of a robot command before it runs.')
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')
    for module in _MODULES:
        module.add_parser(verbs)
    return parser


if __name__ == '__main__':
    sys.exit(main())
