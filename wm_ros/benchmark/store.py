# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What has been measured so far, on disk after every step."""

import json
from pathlib import Path
from typing import Any

from wm_ros.benchmark.headline import headline
from wm_ros.errors import WorldModelError
from wm_ros.inference.checkpoint import write_json

FORMAT, VERSION = 'wm_ros.benchmark', 1


class Store:
    """
    A report that is whole on disk after each step, so that a run that is killed loses nothing.

    :param path: of the JSON file.
    :param about: machine, settings and command; written as they are.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self._about = about
        self.steps: dict[str, Any] = {}
        self.failed: dict[str, str] = {}

    def resume(self) -> None:
        """
        Take over the steps that an earlier run with the same settings has finished.

        :raises WorldModelError: if the file is not one of ours or has other settings.
        """
        if not self.path.is_file():
            return
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
            found = content['format'], content['version'], content['settings']
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorldModelError(f'{self.path} is not a report of wm-ros benchmark: {error!r}; '
                                  'give another --json, or leave --resume out') from error
        if found != (FORMAT, VERSION, json.loads(json.dumps(self._about['settings']))):
            raise WorldModelError(f'{self.path} was made with other settings, {found[2]}; give '
                                  'the same ones, or leave --resume out')
        self.steps = {name: step for name, step in content['steps'].items()
                      if not step.get('is_partial')}

    def put(self, name: str, figures: dict[str, Any], *, is_partial: bool = False) -> None:
        """Keep the figures of a step and write the report."""
        self.steps[name] = {**figures, 'is_partial': True} if is_partial else figures
        self.write()

    def fail(self, name: str, reason: str) -> None:
        """Note why a step has no figures and write the report."""
        self.failed[name] = reason
        self.write()

    def to_dict(self, *, is_complete: bool = False) -> dict[str, Any]:
        """Return the report as JSON can hold it, the headline figures at its top level."""
        return {'format': FORMAT, 'version': VERSION, 'is_complete': is_complete,
                **headline(self.steps), **self._about, 'failed': self.failed,
                'steps': self.steps}

    def write(self, *, is_complete: bool = False) -> None:
        """Write the report under a temporary name and rename it into place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.to_dict(is_complete=is_complete))
