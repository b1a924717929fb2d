"""What the catalogue says of some assets, as columns; knows no manifest and judges nothing.

A few statements with all assets at once, not one per asset, and no objects of the mapper.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import JSON, Connection, Integer, String, bindparam, cast, func, select
from sqlalchemy.sql import FromClause

from datastore.datasets.auditing.facts import Codes
from datastore.tables import (
    Asset,
    ClockProbe,
    Fixture,
    FixtureRevision,
    FrameMeasures,
    PerceptualHash,
    Recipe,
    Session,
    Shot,
    ShotEvent,
)

_BATCH: Final = 20_000
_HASH_WORDS: Final = 4

QUANTITIES: Final = {
    "mean_dn": FrameMeasures.mean_dn,
    "black_level_dn": FrameMeasures.black_level_dn,
    "clipped_share": FrameMeasures.clipped_share,
    "sharpness": FrameMeasures.sharpness,
    "attempt": Shot.attempt,
    "session_position": Shot.sequence,
    "since_opened_s": Shot.since_opened_s,
    "since_last_shot_s": Shot.since_last_shot_s,
}
"""Quantities by the columns that hold them."""

_KEYS: Final = {
    "temperature_c": FrameMeasures.temperature_c,
    "session": Shot.session_id,
    "camera": Shot.camera_id,
}

_TEXTS: Final = {"image_quality": Shot.image_quality, "time_source": Shot.time_source}

CHECKS: Final = {
    "registration": "registration_shift_photosites",
    "illumination": "illumination_change_stops",
    "illumination-pattern": "illumination_pattern_stops",
    "colour": "colour_change_stops",
    "focus": "focus_ratio",
    "scene": "scene_similarity",
    "dark-level": "dark_level_dn",
    "light-leak": "light_leak_dn",
}
"""Quantities by the content checks that measure them."""

# The detail of an event is some kilobytes of JSON with every check's name and value side by side;
# decoding all of it would take longer than everything else here.
_MEASURED: Final = re.compile(
    rf'"name":\s*"({"|".join(CHECKS)})",\s*"value":\s*(null|-?[0-9.]+(?:[eE][-+]?[0-9]+)?)'
)


class Recorded:
    """Columns of what the catalogue says of some assets.

    Attributes
    ----------
    found
        Which assets the catalogue has with their shots, shape (assets,).
    quantities
        float64 of shape (assets,) by name, NaN where unknown: those of `QUANTITIES` and `CHECKS`,
        `temperature_c` as the file tells it, and `clock_skew_s`, the median of the probes of the
        camera's clock in that session.
    categories
        int64 codes of shape (assets,), -1 where unknown, with the names of the levels.
    hashes, hashed
        Perceptual hashes as in `ItemFacts`.
    """

    def __init__(self, connection: Connection, sha256s: Sequence[str]) -> None:
        """Read everything; `sha256s` are the assets, in the order of the columns."""
        count = len(sha256s)
        self.quantities = {
            name: np.full(count, np.nan)
            for name in ("temperature_c", *QUANTITIES, *CHECKS.values(), "clock_skew_s")
        }
        self.categories: dict[str, tuple[Codes, tuple[str, ...]]] = {}
        self.hashes = np.zeros((count, _HASH_WORDS), np.uint64)
        self.hashed = np.zeros(count, np.bool_)
        self._sessions = np.full(count, np.nan)
        self._cameras = np.full(count, np.nan)
        texts: dict[str, list[str | None]] = {name: [None] * count for name in _TEXTS}
        for start in range(0, count, _BATCH):
            some = sha256s[start : start + _BATCH]
            self._read_frames(connection, start, some, texts)
            self._read_checks(connection, start, some)
        self.found = ~np.isnan(self._sessions)
        self._read_sessions(connection)
        for name, values in texts.items():
            self.categories[name] = coded(values)

    def _read_frames(
        self,
        connection: Connection,
        start: int,
        sha256s: Sequence[str],
        texts: dict[str, list[str | None]],
    ) -> None:
        """Read the rows of shots, measures and perceptual hashes."""
        listed = _listed(connection, sha256s)
        rows = connection.execute(
            select(
                listed.c.position,
                PerceptualHash.hash,
                *_KEYS.values(),
                *QUANTITIES.values(),
                *_TEXTS.values(),
            )
            .select_from(listed)
            .join(Asset, Asset.sha256 == listed.c.value)
            .join(Shot, Shot.id == Asset.shot_id)
            .outerjoin(FrameMeasures, FrameMeasures.asset_id == Asset.id)
            .outerjoin(PerceptualHash, PerceptualHash.asset_id == Asset.id)
        ).all()
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        places = np.array(columns[0], np.int64) + start
        of_keys = (self.quantities["temperature_c"], self._sessions, self._cameras)
        numbers = (*of_keys, *(self.quantities[name] for name in QUANTITIES))
        for number, values in zip(numbers, columns[2:], strict=False):
            number[places] = np.array(values, np.float64)
        for category, values in zip(texts.values(), columns[-len(texts) :], strict=True):
            for place, value in zip(places.tolist(), values, strict=True):
                category[place] = value
        is_known = np.array([digits is not None for digits in columns[1]])
        known = "".join(digits for digits in columns[1] if digits is not None)
        words = np.frombuffer(bytes.fromhex(known), ">u8").reshape(-1, _HASH_WORDS)
        self.hashes[places[is_known]] = words
        self.hashed[places] = is_known

    def _read_checks(self, connection: Connection, start: int, sha256s: Sequence[str]) -> None:
        """Read what the content checks measured; of a shot verified twice the newest counts."""
        listed = _listed(connection, sha256s)
        rows = connection.execute(
            select(listed.c.position, ShotEvent.id, cast(ShotEvent.detail, String))
            .select_from(listed)
            .join(Asset, Asset.sha256 == listed.c.value)
            .join(ShotEvent, ShotEvent.shot_id == Asset.shot_id)
            .where(ShotEvent.name == "verified", ShotEvent.detail.is_not(None))
        )
        newest: dict[int, int] = {}
        columns = {check: self.quantities[name] for check, name in CHECKS.items()}
        for position, event, detail in rows:
            if newest.get(position, -1) < event:
                newest[position] = event
                for check, value in _MEASURED.findall(detail):
                    columns[check][start + position] = np.nan if value == "null" else float(value)

    def _read_sessions(self, connection: Connection) -> None:
        """Read the rows of sessions and what their cameras' clocks showed."""
        sessions, places = np.unique(self._sessions[self.found], return_inverse=True)
        listed = _listed(connection, [int(session) for session in sessions])
        number = cast(listed.c.value, Integer)
        rows = connection.execute(
            select(
                Session.id,
                Session.operator,
                Session.clock_source,
                Recipe.name.label("recipe"),
                Fixture.name.label("fixture"),
                FixtureRevision.revision,
            )
            .select_from(listed)
            .join(Session, Session.id == number)
            .outerjoin(Recipe, Recipe.id == Session.recipe_id)
            .outerjoin(FixtureRevision, FixtureRevision.id == Session.fixture_revision_id)
            .outerjoin(Fixture, Fixture.id == FixtureRevision.fixture_id)
            .order_by(Session.id)
        ).all()
        revisions = [
            None if row.fixture is None else f"{row.fixture}@{row.revision}" for row in rows
        ]
        for name, values in (
            ("operator", [row.operator for row in rows]),
            ("clock_source", [row.clock_source for row in rows]),
            ("recipe", [row.recipe for row in rows]),
            ("fixture_revision", revisions),
        ):
            codes, levels = coded(values)
            column = np.full(len(self.found), -1, np.int64)
            column[self.found] = codes[places]
            self.categories[name] = (column, levels)
        probes: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        for session_id, camera_id, skew_s in connection.execute(
            select(ClockProbe.session_id, ClockProbe.camera_id, ClockProbe.skew_s)
            .select_from(listed)
            .join(ClockProbe, ClockProbe.session_id == number)
        ):
            probes[session_id, camera_id].append(skew_s)
        for (session_id, camera_id), skews in probes.items():
            is_there = (self._sessions == session_id) & (self._cameras == camera_id)
            self.quantities["clock_skew_s"][is_there] = np.median(skews)


def coded(values: Sequence[str | None]) -> tuple[Codes, tuple[str, ...]]:
    """Return texts as codes, -1 for None, and the levels, in the order of their occurrence."""
    codes: dict[str, int] = {}
    found = [-1 if value is None else codes.setdefault(value, len(codes)) for value in values]
    return np.array(found, np.int64), tuple(codes)


def _listed(connection: Connection, values: Sequence[Any]) -> FromClause:
    """Return values as a table of `position` and `value`, bound as one parameter."""
    text = bindparam("listed", json.dumps(values), String)
    if connection.dialect.name == "sqlite":
        each = func.json_each(text).table_valued("key", "value", name="each_value")
        return select(each.c.key.label("position"), each.c.value.label("value")).subquery("listed")
    each = (
        func.json_array_elements_text(cast(text, JSON))
        .table_valued("value", with_ordinality="ordinality", name="each_value")
        .render_derived()
    )
    return select((each.c.ordinality - 1).label("position"), each.c.value).subquery("listed")
