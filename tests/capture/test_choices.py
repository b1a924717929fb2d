"""Choices: a recipe's numbers are matched with what cameras display, or refused by name."""

from __future__ import annotations

from fractions import Fraction

import pytest

from capture.cameras.choices import choice_for, parse_image_quality, parse_number
from capture.errors import SettingNotOfferedError

# as libgphoto2 2.5 shows them for a Nikon and for a camera of plain PTP
NIKON_EXPOSURES = ["1/8000", "1/100", "1/30", "10/25", "1/2", "10/13", "1", "13/10", "4", "Bulb"]
PLAIN_EXPOSURES = ["0.0001s", "0.0002s", "0.0333s", "0.5000s", "1.0000s", "1.3000s", "4.0000s"]


@pytest.mark.parametrize(
    ("wanted", "choices", "expected"),
    [
        ("1/30", NIKON_EXPOSURES, "1/30"),
        ("2/5", NIKON_EXPOSURES, "10/25"),
        ("13/10", NIKON_EXPOSURES, "13/10"),
        ("4", NIKON_EXPOSURES, "4"),
        ("1/30", PLAIN_EXPOSURES, "0.0333s"),
        ("1/8000", PLAIN_EXPOSURES, "0.0001s"),
        ("1/6000", PLAIN_EXPOSURES, "0.0002s"),
        ("13/10", PLAIN_EXPOSURES, "1.3000s"),
    ],
)
def test_exposures_are_matched_within_what_is_displayed(
    wanted: str, choices: list[str], expected: str
) -> None:
    assert choice_for("exposure", wanted, choices, "Any") == expected


@pytest.mark.parametrize(
    ("field", "wanted", "choices", "nearest"),
    [
        ("exposure", "1/31", NIKON_EXPOSURES, "1/30"),
        ("exposure", "0.0123", PLAIN_EXPOSURES, "0.0333s"),
        ("exposure", "3", PLAIN_EXPOSURES, "4.0000s"),
        ("iso", 150, ["100", "200", "Auto"], "100, 200"),
        ("f_number", 5.5, ["f/5", "f/5.6", "f/8"], "f/5.6"),
    ],
)
def test_what_is_not_offered_is_refused_with_the_nearest_choices(
    field: str, wanted: object, choices: list[str], nearest: str
) -> None:
    with pytest.raises(SettingNotOfferedError, match=nearest) as caught:
        choice_for(field, wanted, choices, "Any")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("wanted", "expected"), [(8, "f/8"), (5.6, "f/5.6"), (1.8, "f/1.8")])
def test_f_numbers_are_meant_as_written(wanted: float, expected: str) -> None:
    assert choice_for("f_number", wanted, ["f/1.8", "f/5.6", "f/8"], "Any") == expected


NIKON_QUALITIES = [
    "JPEG Basic", "JPEG Normal", "JPEG Fine", "NEF (Raw)", "NEF+Basic", "NEF+Normal", "NEF+Fine",
]  # fmt: skip
EOS_QUALITIES = [
    "Large Fine JPEG", "Large Normal JPEG", "Medium Fine JPEG", "Small Fine JPEG", "RAW",
    "RAW + Large Fine JPEG", "RAW + Medium Fine JPEG", "sRAW", "sRAW + Large Fine JPEG",
]  # fmt: skip
EOS_FORMATS = [
    "L", "cL", "M1", "cM1", "M2", "S1", "cS1", "S3", "RAW + L", "RAW + cL", "RAW + S3", "mRAW + L",
    "sRAW + S3", "RAW", "mRAW", "sRAW", "cRAW", "cRAW + L",
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "choices", "make", "expected"),
    [
        ("raw", NIKON_QUALITIES, "Nikon Corporation", "NEF (Raw)"),
        ("raw+jpeg", NIKON_QUALITIES, "Nikon Corporation", "NEF+Fine"),
        ("jpeg", NIKON_QUALITIES, "Nikon Corporation", "JPEG Fine"),
        ("raw", EOS_QUALITIES, "Canon Inc.", "RAW"),
        ("raw+jpeg", EOS_QUALITIES, "Canon Inc.", "RAW + Large Fine JPEG"),
        ("jpeg", EOS_QUALITIES, "Canon Inc.", "Large Fine JPEG"),
        ("raw", EOS_FORMATS, "Canon Inc.", "RAW"),
        ("raw+jpeg", EOS_FORMATS, "Canon Inc.", "RAW + L"),
        ("jpeg", EOS_FORMATS, "Canon Inc.", "L"),
    ],
)
def test_image_qualities_are_understood(
    wanted: str, choices: list[str], make: str, expected: str
) -> None:
    assert choice_for("image_quality", wanted, choices, make) == expected


@pytest.mark.parametrize(
    "text", ["mRAW", "sRAW1", "cRAW", "cRAW + L", "sRAW + Large Fine JPEG", "RAW+HEIF (Fine)",
             "Unknown value 53ff", "XL", "l"],
)  # fmt: skip
def test_reduced_lossy_and_unknown_files_are_never_meant(text: str) -> None:
    assert parse_image_quality(text, "Canon Inc.") is None


def test_numbered_qualities_of_an_unknown_make_are_not_guessed() -> None:
    assert parse_image_quality("Unknown value 0004", "Somebody") is None
    with pytest.raises(SettingNotOfferedError, match="Unknown value 0004"):
        choice_for("image_quality", "raw", ["Unknown value 0004"], "Somebody")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1/100", Fraction(1, 100)), ("0.0333s", Fraction(333, 10000)), ("f/5.6", Fraction(28, 5)),
     ("Bulb", None), ("Auto", None), ("1/0", None), ("", None)],
)  # fmt: skip
def test_numbers_are_read_from_texts(text: str, expected: Fraction | None) -> None:
    assert parse_number(text) == expected
