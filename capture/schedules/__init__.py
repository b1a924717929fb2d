"""Schedules: when captures are due, and what became of every due time.

The rules and descriptions are pure; rows, occurrences and the preview are modules of their own that
are imported by name.
"""

from capture.schedules.description import DueTime, ScheduleDescription, planned, read_schedule
from capture.schedules.rules import CalendarIntervalRule, CronRule, Rule, due_times, local_times

__all__ = [
    "CalendarIntervalRule",
    "CronRule",
    "DueTime",
    "Rule",
    "ScheduleDescription",
    "due_times",
    "local_times",
    "planned",
    "read_schedule",
]
