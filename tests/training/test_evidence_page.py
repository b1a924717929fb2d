"""A report is one page: nothing is fetched, and whatever it states is escaped."""

from __future__ import annotations

import base64
import re

import numpy as np

from training.evidence.figures import contact_sheet
from training.evidence.page import Check, Picture, Section, Table, picture_of, render_page

HOSTILE = "<script>alert('serial')</script>"


def page() -> str:
    figure = contact_sheet([("one", np.zeros((4, 4, 3), np.uint8))])
    return render_page(
        HOSTILE,
        HOSTILE,
        [
            Section(
                title=HOSTILE,
                paragraphs=[HOSTILE],
                checks=[Check(HOSTILE, "0.5", "0.4 to 0.6", True), Check("b", "1", "2", None)],
                tables=[Table([HOSTILE, "b"], [[HOSTILE, "1"]], HOSTILE)],
                pictures=[picture_of(figure, HOSTILE)],
            )
        ],
    )


def test_every_text_is_escaped() -> None:
    assert "<script" not in page()
    assert "&lt;script&gt;" in page()


def test_nothing_is_fetched_from_elsewhere() -> None:
    sources = re.findall(r'(?:src|href)="([^"]*)"', page())
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert "default-src 'none'" in page()


def test_pictures_are_whole_png_files() -> None:
    encoded = re.search(r'base64,([^"]+)"', page())
    assert encoded is not None
    content = base64.b64decode(encoded.group(1))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.rstrip().endswith(b"IEND\xaeB`\x82")


def test_checks_say_whether_they_hold() -> None:
    assert '<td class="holds">holds</td>' in page()
    assert '<td class="inconclusive">inconclusive</td>' in page()


def test_a_picture_can_be_shown_without_a_second_file() -> None:
    assert Picture(b"abc", "x").data_url == "data:image/png;base64,YWJj"
