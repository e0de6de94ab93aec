# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write an evaluation as one HTML file that needs nothing else: tables, plots, film strips."""

import html
from pathlib import Path

from wm_ros.training.evaluation import Measured
from wm_ros.training.page import html_film, html_note, html_page, html_table, write_page
from wm_ros.training.plots import draw_plots
from wm_ros.training.tables import evaluation_tables


def write_report(path: Path, measured: Measured, *, title: str) -> None:
    """
    Write the report under a temporary name and rename it into place.

    :param title: what was evaluated on what.
    """
    write_page(path, report_html(measured, title=title))


def report_html(measured: Measured, *, title: str) -> str:
    """Return the whole page."""
    evaluation = measured.evaluation
    tables = evaluation_tables(evaluation.to_dict())
    plots = draw_plots(evaluation, measured.scores)
    return html_page(title, [
        html_note(f'Model {evaluation.model_id}. Intervals are 95 % bootstrap intervals over '
                  'episodes; docs/evaluation.md defines each figure.'),
        *(html_table(table) for table in tables[:2]),
        '<h2>Plots</h2><div class="plots">',
        *(f'<figure><figcaption>{html.escape(name)}</figcaption>{svg}</figure>'
          for name, svg in plots.items()),
        '</div>', *(html_table(table) for table in tables[2:]),
        '<h2>Film strips</h2>',
        html_note('Best, median and worst by error on pixels that move, among windows in which at '
                  'least 1 % of the picture moves; then the worst mistakes about hazards.'),
        *(html_film(strip) for strip in measured.strips)])
