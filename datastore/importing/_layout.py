"""What is declared of each file: a mapping and tables, ready to be asked about paths.

It knows no table of the catalogue and opens no image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from datastore.descriptions import describe_problems
from datastore.importing._mapping import (
    OPTION_GROUPS,
    TOLERANCE_S,
    MappedCamera,
    Mapping,
    MappingError,
)
from datastore.importing._options import ImportOptions
from datastore.importing._table import FactsTable, read_table
from datastore.importing._times import DeclaredTime, is_iso, parse_iso, parse_written
from datastore.timeslots import Interval


@dataclass(frozen=True)
class Declared:
    """What is declared of one file.

    Attributes
    ----------
    options
        What options, sidecars, mapping and table say together.
    taken_at
        A time that a path or table gives; None until `dated` has found its zone.
    written_at
        How it is written there, and in which codes; ISO 8601 where these are None.
    timeslot, scheme
        A timeslot and the name of its scheme.
    tolerance_s
        How far the file's own time may lie from these, in seconds.
    camera
        The body of the mapping that took it; None without a mapping.
    mapping
        Name and hash of the mapping.
    """

    options: ImportOptions
    taken_at: DeclaredTime | None = None
    timeslot: Interval | None = None
    scheme: str | None = None
    tolerance_s: float = TOLERANCE_S
    camera: MappedCamera | None = None
    mapping: tuple[str, str] | None = None
    written_at: tuple[str, str | None] | None = None

    def dated(self) -> Declared:
        """Return the same with the written time in the zone of the options."""
        if self.written_at is None:
            return self
        text, written_as = self.written_at
        zone = self.options.timezone
        moment = (
            parse_iso(text, zone) if written_as is None else parse_written(text, written_as, zone)
        )
        return replace(self, taken_at=moment)

    def verbatim(self) -> dict[str, Any]:
        """Return everything that was stated, for the record."""
        stated = self.options.model_dump(mode="json", exclude_unset=True)
        if self.taken_at is not None:
            stated["taken_at"] = self.taken_at.at.isoformat()
        if self.timeslot is not None:
            stated["timeslot"] = {
                "scheme": self.scheme,
                "ordinal": self.timeslot.ordinal,
                "starts_at": self.timeslot.starts_at.isoformat(),
                "ends_at": self.timeslot.ends_at.isoformat(),
            }
        if self.mapping is not None:
            stated["mapping"], stated["mapping_sha256"] = self.mapping
        return stated


@dataclass
class Layout:
    """A mapping, and a table of facts, ready to be asked about paths.

    Parameters
    ----------
    mapping
        None where only a table is given.
    slots
        The timeslots of the mapping's scheme.
    table
        The mapping's own table, or one given beside it.
    extra
        A table of facts that count before everything else declared.
    """

    mapping: Mapping | None = None
    slots: tuple[Interval, ...] = ()
    table: FactsTable | None = None
    extra: FactsTable | None = None
    _pattern: re.Pattern[str] | None = field(init=False, default=None)
    _slots: dict[int, Interval] = field(init=False)

    def __post_init__(self) -> None:
        self._slots = {slot.ordinal: slot for slot in self.slots}
        if self.mapping is not None and self.mapping.pattern is not None:
            self._pattern = re.compile(self.mapping.pattern)

    def declared(self, path: str) -> Declared | str:
        """Return what mapping and tables say of a file, or why they do not.

        Parameters
        ----------
        path
            Below the imported folder, with slashes.
        """
        declared = Declared(ImportOptions())
        if self.mapping is not None:
            if self._pattern is not None:
                match = self._pattern.search(path)
                if match is None:
                    return "The mapping's pattern does not match its path."
                words = {name: word for name, word in match.groupdict().items() if word}
                of_mapping = self._mapped(words, self.mapping.taken_at_format)
            else:
                assert self.table is not None
                row = self.table.row(path)
                if row is None:
                    return f"The mapping's table {self.table.source} does not list it."
                of_mapping = self._mapped(row.words, None)
            if isinstance(of_mapping, str):
                return of_mapping
            declared = of_mapping
        row = self.extra.row(path) if self.extra is not None else None
        return declared if row is None else self._with_facts(declared, row.words)

    def facts(self, path: str) -> ImportOptions | None:
        """Return what the extra table alone says of a file, None where it does not list it."""
        row = None if self.extra is None else self.extra.row(path)
        if row is None:
            return None
        found = self._with_facts(Declared(ImportOptions()), row.words)
        return None if isinstance(found, str) else found.options

    def _mapped(self, words: MappingOf[str, str], written_as: str | None) -> Declared | str:
        mapping = self.mapping
        assert mapping is not None
        named = words.get(
            "camera", next(iter(mapping.cameras)) if len(mapping.cameras) == 1 else ""
        )
        camera = mapping.cameras.get(named)
        if camera is None:
            return (
                f"The mapping knows no camera {named!r}." if named else "Its path names no camera."
            )
        stated: dict[str, Any] = {"camera": camera.model_dump(exclude={"exif_models"},
                                                              exclude_unset=True)}  # fmt: skip
        if mapping.timezone is not None:
            stated["timezone"] = mapping.timezone
        declared = Declared(
            ImportOptions.model_validate(stated),
            camera=camera,
            mapping=(mapping.name, mapping.sha256),
            tolerance_s=mapping.timeslots.tolerance_s if mapping.timeslots else TOLERANCE_S,
        )
        kind = {} if mapping.kind is None or words.get("scene") else {"kind": mapping.kind}
        return self._with_words(declared, {**kind, **words}, written_as)

    def _with_facts(self, declared: Declared, words: MappingOf[str, str]) -> Declared | str:
        """Return what is declared with the facts of a row in its place."""
        named = words.get("camera")
        if named is not None and self.mapping is not None:
            camera = self.mapping.cameras.get(named)
            if camera is None:
                return f"The mapping knows no camera {named!r}."
            of_camera = {"camera": camera.model_dump(exclude={"exif_models"})}
            options = declared.options.overridden(ImportOptions.model_validate(of_camera))
            declared = replace(declared, options=options, camera=camera)
        elif {"camera", "serial", "make", "model"} & words.keys():
            body = {key: words[key] for key in ("serial", "make", "model") if key in words}
            body |= {} if named is None else {"alias": named}
            options = declared.options.overridden(ImportOptions.model_validate({"camera": body}))
            declared = replace(declared, options=options, camera=None)
        return self._with_words(declared, words, None)

    def _with_words(
        self, declared: Declared, words: MappingOf[str, str], written_as: str | None
    ) -> Declared | str:
        mapping = self.mapping
        stated: dict[str, Any] = {name: words[name] for name in OPTION_GROUPS if name in words}
        stated |= {name: words[name] for name in ("scene", "timezone") if name in words}
        if "kind" in words:
            kinds = {} if mapping is None else mapping.kinds
            stated["kind"] = kinds.get(words["kind"], words["kind"])
        try:
            options = declared.options.overridden(ImportOptions.model_validate(stated))
        except ValidationError as problem:
            return f"What is declared of it is malformed: {describe_problems(problem)}."
        declared = replace(declared, options=options)
        if "taken_at" in words:
            if written_as is None and not is_iso(words["taken_at"]):
                return (
                    f"taken_at: {words['taken_at']!r} is no time such as 2014-03-05 or"
                    " 2014-03-05T12:30:00+01:00."
                )
            declared = replace(declared, written_at=(words["taken_at"], written_as))
        if "timeslot" not in words:
            return declared
        return self._with_timeslot(declared, words["timeslot"])

    def _with_timeslot(self, declared: Declared, word: str) -> Declared | str:
        timeslots = None if self.mapping is None else self.mapping.timeslots
        if timeslots is None:
            return "A timeslot is declared, and no mapping says what timeslots there are."
        ordinal = timeslots.names.get(word)
        if ordinal is None and word.isdecimal():
            ordinal = int(word)
        found = None if ordinal is None else self._slots.get(ordinal)
        scheme = timeslots.scheme if isinstance(timeslots.scheme, str) else timeslots.scheme.name
        if found is None:
            return f"The scheme {scheme} has no timeslot {word!r}."
        return replace(declared, timeslot=found, scheme=scheme)


def open_layout(mapping: Mapping | None, slots: tuple[Interval, ...], facts: Path | None) -> Layout:
    """Make a mapping and a table of facts ready to be asked.

    Parameters
    ----------
    mapping
        None where only facts are given.
    slots
        The timeslots of the mapping's scheme.
    facts
        CSV of facts that count before everything else declared.

    Raises
    ------
    MappingError
        If a table cannot be read or is malformed; names row and column.
    """
    table = None
    if mapping is not None and mapping.table is not None:
        table = read_table(mapping.table, MappingError)
    extra = None if facts is None else read_table(facts, MappingError)
    layout = Layout(mapping, slots, table, extra)
    for one in (table, extra):
        _require_sound_rows(layout, one)
    return layout


def _require_sound_rows(layout: Layout, table: FactsTable | None) -> None:
    for path, row in () if table is None else table.rows():
        found = layout.declared(path) if table is layout.table else layout._with_facts(
            Declared(ImportOptions()), row.words
        )  # fmt: skip
        if isinstance(found, str):
            assert table is not None
            raise MappingError(f"{table.source}, row {row.number}: {found}")
