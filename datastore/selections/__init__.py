"""Selections: live queries of shots that compose, page by page, as text and as tables."""

from datastore.selections.conditions import (
    EVERYTHING,
    All,
    Any,
    Condition,
    DefectWithin,
    Known,
    Not,
    OneOf,
    Within,
)
from datastore.selections.parsing import parse
from datastore.selections.records import AssetRecord, Measures, ShotRecord
from datastore.selections.saved import Saved, find_saved, list_saved, save
from datastore.selections.selection import Page, Selection

__all__ = [
    "EVERYTHING",
    "All",
    "Any",
    "AssetRecord",
    "Condition",
    "DefectWithin",
    "Known",
    "Measures",
    "Not",
    "OneOf",
    "Page",
    "Saved",
    "Selection",
    "ShotRecord",
    "Within",
    "find_saved",
    "list_saved",
    "parse",
    "save",
]
