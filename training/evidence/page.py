"""One self-contained HTML page of sections, tables and figures; knows nothing of what they say."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG and the sentence that says what to see in it."""

    png: bytes
    caption: str

    @property
    def data_url(self) -> str:
        """The picture as a URL that needs no second file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Check:
    """A pre-declared condition: what was measured, what it would have to be, whether it holds."""

    statement: str
    measured: str
    required: str
    holds: bool | None
    """None where the data cannot decide."""
    decides: bool = True
    """Whether the answer hangs on it; what does not is there to be read."""

    @property
    def word(self) -> str:
        """The outcome in a word."""
        return {True: "holds", False: "does not hold", None: "inconclusive"}[self.holds]


@dataclass(frozen=True)
class Section:
    """A part of the page under its own heading."""

    title: str
    paragraphs: Sequence[str] = ()
    checks: Sequence[Check] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = field(default_factory=tuple)


def picture_of(figure: Figure, caption: str, *, dots_per_inch: int = 110) -> Picture:
    """Render a matplotlib figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, bbox_inches="tight")
    return Picture(buffer.getvalue(), caption)


def render_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML; every text is escaped.

    Parameters
    ----------
    title
        Heading of the page.
    lead
        The answer in a few sentences, shown first.
    sections
        Parts of the page in order.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(title=title, lead=lead, sections=sections)
