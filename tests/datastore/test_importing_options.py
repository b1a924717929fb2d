"""What is declared of files: which word counts, and what is refused before work begins."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from datastore.catalogue import Catalogue
from datastore.importing import (
    ImportOptionsError,
    read_options,
)
from datastore.importing._times import DeclaredTime
from tests.support.frame_files import (
    dark_mosaic,
    dng,
    facts,
    manifest,
    needs_shared_data,
    real_file,
)
from tests.support.imports import describe, jpeg, row_counts, run, shots


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("20240506-070809", "Europe/Vienna", datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("20240506-070809", None, None),
        ("20241027-023000", "Europe/Vienna", None),  # happens twice
        ("20240331-023000", "Europe/Vienna", None),  # never happens
        ("99999999-999999", "Europe/Vienna", None),
    ],
)
def test_a_time_of_the_name_counts_only_in_a_declared_zone_that_tells_it(
    sqlite_catalogue: Catalogue,
    folder: Path,
    written: str,
    zone: str | None,
    expected: datetime | None,
) -> None:
    (folder / f"{written}.jpg").write_bytes(jpeg())
    describe(
        folder / "agetrace-import.yaml",
        file_name_pattern="(?P<taken_at>[0-9-]{15})",
        taken_at_format="%Y%m%d-%H%M%S",
        **({"timezone": zone} if zone else {}),
    )
    run(sqlite_catalogue, folder)
    (shot,) = shots(sqlite_catalogue).values()
    assert shot.triggered_at == expected
    assert shot.time_source == (None if expected is None else "declared")


@needs_shared_data
def test_a_declared_zone_dates_the_local_times_of_exif(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    row = next(row for row in manifest("jpeg") if row["path"].endswith("img_0301.jpg"))
    shutil.copy(real_file(row), folder)
    run(sqlite_catalogue, folder, read_options(timezone="Europe/Vienna"))
    (shot,) = shots(sqlite_catalogue).values()
    assert shot.triggered_at == datetime(2022, 1, 20, 7, 12, 14, tzinfo=UTC)
    assert shot.time_source == "declared"
    assert shot.settings[0].taken_at is None  # what the file says stays what it says
    assert shot.settings[0].raw_values == {"declared": {"timezone": "Europe/Vienna"}}


def test_nearer_sidecars_say_more_and_what_a_file_says_comes_first(
    sqlite_catalogue: Catalogue, folder: Path
) -> None:
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    for place, seed in ((folder, 1), (folder / "a", 2), (inner, 3)):
        (place / f"{seed}.jpg").write_bytes(jpeg(seed))
    (inner / "4.jpg").write_bytes(jpeg(4))
    (inner / "5.dng").write_bytes(dng(dark_mosaic(), about=facts(exposure=Fraction(1, 4))))
    describe(folder / "a" / "agetrace-import.yaml", iso=100, exposure=1)
    describe(inner / "agetrace-import.yaml", iso=200, exposure=0.25)
    describe(inner / "4.jpg.yaml", iso=300)
    run(sqlite_catalogue, folder, read_options())
    found = {name: (shot.iso, shot.exposure) for name, shot in shots(sqlite_catalogue).items()}
    assert found == {
        "1.jpg": (None, None),
        "2.jpg": (100, "1"),
        "3.jpg": (200, "1/4"),
        "4.jpg": (300, "1/4"),
        "5.dng": (400, "1/4"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"iso": -1}, "iso"),
        ({"colour": "red"}, "colour"),
        ({"kind": "fixed-background"}, "kind"),
        ({"exposure": "long"}, "no exposure time"),
        ({"timezone": "Vienna"}, "IANA"),
        ({"camera": {"serial": 71}}, "quotes"),
        ({"camera": {"serial": "1", "alias": "2"}}, "not both"),
        ({"file_name_pattern": "("}, "regular expression"),
        ({"file_name_pattern": "(?P<colour>.)"}, "named groups"),
        ({"file_name_pattern": "(?P<taken_at>.)"}, "taken_at_format"),
    ],
    ids=str,
)
def test_a_malformed_sidecar_stops_the_import_before_it_begins(
    sqlite_catalogue: Catalogue, folder: Path, content: dict[str, object], message: str
) -> None:
    (folder / "a.jpg").write_bytes(jpeg())
    (folder / "b").mkdir()
    (folder / "b" / "c.jpg").write_bytes(jpeg(2))
    describe(folder / "b" / "agetrace-import.yaml", **content)
    with pytest.raises(ImportOptionsError, match=message) as caught:
        run(sqlite_catalogue, folder)
    assert "agetrace-import.yaml" in str(caught.value)
    assert caught.value.exit_code == 2
    assert row_counts(sqlite_catalogue) == [0] * 9


def test_options_are_checked_wherever_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(ImportOptionsError, match="IANA"):
        read_options(timezone="nowhere")
    with pytest.raises(ImportOptionsError, match="kind"):
        read_options(kind="bright")
    with pytest.raises(ImportOptionsError, match=r"gone\.yaml cannot be read"):
        read_options(tmp_path / "gone.yaml")
    describe(tmp_path / "options.yaml", kind="dark-field", iso=100, camera={"make": "Example"})
    options = read_options(tmp_path / "options.yaml", kind="flat-field", alias="a")
    assert (options.kind, options.iso) == ("flat-field", 100)
    assert (options.camera.make, options.camera.alias) == ("Example", "a")


def test_the_sidecar_of_the_how_to_is_a_valid_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/import.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "options.yaml"
    path.write_text(example, encoding="utf-8")
    options = read_options(path)
    name = "d1_dark_2000ms_2019-02-08-171233-0003.tif"
    assert options.for_name(name).exposure == "2"
    assert options.taken_at(name) == DeclaredTime(datetime(2019, 2, 9, 0, 12, 33, tzinfo=UTC))
