"""Is everything in place for loads: server, schema, rights, TimescaleDB, settings, disk, time.

Looks and never touches: no row, table or setting is changed. Each check and its thresholds:
docs/doctor.md.
"""

from loader.survey.doctor.check import Check
from loader.survey.doctor.examination import examine, unreachable

__all__ = ["Check", "examine", "unreachable"]
