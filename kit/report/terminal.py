"""All that a terminal is shown: the live lanes, the table, one lane's verdict."""

from kit.report.live import live_lanes
from kit.report.single import probe_text
from kit.report.style import Style
from kit.report.table import table

__all__ = ["Style", "live_lanes", "probe_text", "table"]
