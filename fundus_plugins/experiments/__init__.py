"""Tables of experiments: their description, their training runs, and the figures that come of them."""

from fundus_plugins.experiments.report import report_table, write_report
from fundus_plugins.experiments.runs import Run, execute
from fundus_plugins.experiments.table import Row, Table, plan_runs, read_table

__all__ = ["Row", "Run", "Table", "execute", "plan_runs", "read_table", "report_table", "write_report"]
