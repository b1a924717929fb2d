"""`agetrace estimate`: the age of images from the defects that they show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    say,
)
from agetrace.errors import RequestError

if TYPE_CHECKING:
    from training.estimators.comparing import Comparison
    from training.estimators.dated_file import DatedFile
    from training.estimators.protocol import AgeEstimator

app = typer.Typer(
    no_args_is_help=True, help="Date images by what a sensor's defects leave in them."
)

DatasetArgument = Annotated[str, typer.Argument(help="Name or version of a frozen dataset.")]
CameraOption = Annotated[
    str | None, typer.Option(help="Serial of the camera; needed where the dataset has several.")
]
LedgerOption = Annotated[
    bool, typer.Option("--ledger/--no-ledger", help="Use the camera's newest ledger of defects.")
]
SearchOption = Annotated[
    bool, typer.Option("--search/--no-search", help="Search the images for defects too.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of whatever is random.")]


@app.command()
def fit(
    context: typer.Context,
    dataset: DatasetArgument,
    output: Annotated[Path, typer.Option(help="File of the estimator.")] = Path("estimator.npz"),
    method: Annotated[str, typer.Option(help="Which estimator.")] = "maximum-likelihood",
    camera: CameraOption = None,
    ledger: LedgerOption = True,
    search: SearchOption = True,
    block: Annotated[
        list[str] | None,
        typer.Option(help="Block to learn from; may be repeated; all blocks otherwise."),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit an estimator to the images of a frozen dataset, and keep it with its lineage.

    Example: agetrace estimate fit controlled --camera 7100001 --output camera.npz
    """
    from training.estimators.estimating import Request, fitted, lineage_of, material_of
    from training.estimators.methods import require_method
    from training.estimators.state import save_state

    require_method(method)
    request = Request(dataset, camera, ledger, search, tuple(block) if block else None, seed)
    with catalogue_of(context) as (home, catalogue):
        with progress_bar("decoding frames", quiet=as_json) as advance:
            material = material_of(catalogue, request, home.work_root, advance)
        estimator = fitted(method, material, request)
        lineage = lineage_of(material, request)
    save_state(output, estimator.to_state(), lineage)
    if as_json:
        print_json({"output": str(output), "facts": estimator.facts(), "lineage": lineage})
        return
    say(_fitted(estimator, lineage["images"]))
    say(f"wrote {output}")


@app.command()
def date(
    estimator: Annotated[Path, typer.Argument(help="File of `agetrace estimate fit`.")],
    file: Annotated[list[Path], typer.Argument(help="Questioned files: RAW or JPEG.")],
    report: Annotated[
        Path | None, typer.Option(help="Report to write, .html or .pdf; one page a file.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the intervals, as a share.")] = 0.95,
    as_json: JsonOption = False,
) -> None:
    """Tell when images were taken, by an estimator fitted to their camera.

    The time that a file states is not used. Needs no home.

    Example: agetrace estimate date camera.npz questioned.jpg --report questioned.pdf
    """
    form = _form_of(report)
    from training.estimators.answering import answer_files

    with progress_bar("dating", quiet=as_json) as advance:
        dated = answer_files(estimator, file, confidence, advance)
    if report is not None:
        _write(report, form, dated)
    if as_json:
        print_json([one.to_json() for one in dated])
        return
    for one in dated:
        say(one.sentence)
    if report is not None:
        say(f"wrote {report}")


@app.command()
def compare(
    context: typer.Context,
    dataset: DatasetArgument,
    method: Annotated[
        list[str] | None, typer.Option(help="Estimator; may be repeated; all otherwise.")
    ] = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option(help="Recorded experiment on this dataset to hold them against."),
    ] = None,
    camera: CameraOption = None,
    ledger: LedgerOption = True,
    search: SearchOption = True,
    block: Annotated[str, typer.Option(help="Block that they are judged on.")] = "clean",
    report: Annotated[Path | None, typer.Option(help="Page to write, .html.")] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit estimators to the training block and judge them beside networks, by sessions.

    Example: agetrace estimate compare controlled --camera 7100001 --experiment nano
    """
    if report is not None and report.suffix != ".html":
        raise RequestError(f"--report {report}: give a name that ends in .html")
    from training.estimators.estimating import Request, compared
    from training.estimators.methods import METHODS, require_method

    methods = method or list(METHODS)
    for one in methods:
        require_method(one)
    request = Request(dataset, camera, ledger, search, None, seed)
    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("decoding frames", quiet=as_json) as decoding,
        progress_bar("fitting", quiet=as_json) as fitting,
    ):
        found = compared(
            catalogue,
            methods,
            experiment or [],
            request,
            home.work_root,
            block=block,
            decoding=decoding,
            fitting=fitting,
        )
    if report is not None:
        from training.estimators.comparing_page import comparing_page

        report.write_text(comparing_page(found), encoding="utf-8")
    if as_json:
        print_json(found.to_json())
        return
    _print_comparison(found.comparison)
    if report is not None:
        say(f"wrote {report}")


def _fitted(estimator: AgeEstimator, images: int) -> str:
    facts = estimator.facts()
    counted = f"; {len(facts['defects'])} photosites tell age" if "defects" in facts else ""
    suspect = "; it is suspect: told for comparison alone" if estimator.is_suspect else ""
    return f"{estimator.name} fitted to {images} images{counted}{suspect}"


def _form_of(report: Path | None) -> Literal["html", "pdf"] | None:
    if report is None:
        return None
    if report.suffix == ".html":
        return "html"
    if report.suffix == ".pdf":
        return "pdf"
    raise RequestError(f"--report {report}: give a name that ends in .html or .pdf")


def _write(report: Path, form: Literal["html", "pdf"] | None, dated: list[DatedFile]) -> None:
    from training.estimators.dating_page import dating_page
    from training.estimators.dating_pdf import dating_pdf

    content = dating_pdf(dated) if form == "pdf" else dating_page(dated).encode()
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(content)
    except OSError as error:
        raise RequestError(f"{report}: {error.strerror}") from None


def _print_comparison(comparison: Comparison) -> None:
    columns = [
        "estimator", "accuracy", "interval", "answered", "chance", "p", "sessions", "against",
        "difference", "difference_p", "note",
    ]  # fmt: skip
    print_records(comparison.rows(), columns)
    say(comparison.sentence)
