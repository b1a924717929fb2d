"""Runs the demo: captures, ledger, datasets, experiments, report; holds no science of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from sqlalchemy import func, select

from agetrace.capturing import run_recipe
from agetrace.cli._shared import progress_bar
from agetrace.demo import plan
from agetrace.demo.processes import run_side_by_side
from agetrace.demo.replay import VirtualFixture, carousel_scenes, running_fixture
from agetrace.demo.report import write_demo_report
from agetrace.demo.results import DemoResults, score_cameras
from agetrace.errors import AgetraceError, RequestError
from agetrace.settings import SETTINGS_NAME, Home, create_home, load_home
from capture.recipes import read_recipe
from datastore import equipment, timeslots
from datastore.catalogue import Catalogue
from datastore.clocks import HostClock
from datastore.datasets.auditing.facts import BaselineFeatures
from datastore.datasets.auditing.page import write_audit_page
from datastore.datasets.freeze import Frozen, freeze
from datastore.datasets.loading import lineage, load
from datastore.datasets.manifest import Manifest
from datastore.datasets.spec import parse_spec
from datastore.tables import Camera, Run
from training.baselines import GridCache, pixel_features
from training.defects import ledger_records, records
from training.evidence.report import examine
from training.experiments.summary import ExperimentSummary, summarise

_OURS = ("home", "fixture", "plan", "audits", "report.html", "summary.json")


@dataclass(frozen=True)
class _Stage:
    """Prints what is being done, with the time it took."""

    console: Console
    started: float

    def __call__(self, title: str) -> None:
        elapsed = time.monotonic() - self.started
        self.console.print(f"[dim]{elapsed:6.1f} s[/dim]  {title}")


def run_demo(output: Path, *, size: str, seed: int, quiet: bool = False) -> dict[str, Any]:
    """Replay the demo and write `report.html` and `summary.json` into a folder.

    Parameters
    ----------
    output
        Folder of the demo; what an earlier demo left in it is replaced, anything else is refused.
    size
        `full` or `small`.
    seed
        Seed of sensors, splits and runs.
    quiet
        Print nothing.

    Returns
    -------
    dict
        The content of `summary.json`.

    Raises
    ------
    RequestError
        If the folder holds something that no demo made.
    """
    started = time.monotonic()
    stage = _Stage(Console(stderr=True, quiet=quiet), started)
    amounts = plan.AMOUNTS[size]
    documents = output / "plan"
    _clear(output)
    stage(f"a home and a virtual fixture in {output}")
    scenes = plan.choose_scenes(carousel_scenes(), amounts, seed)
    description = plan.fixture_description(amounts, seed, scenes)
    create_home(output / "home")
    with running_fixture(output / "fixture", description) as fixture:
        home = _configure(output / "home", fixture)
        with home.open_catalogue() as catalogue:
            stage(f"captures of {plan.YEARS:.1f} simulated years")
            shots = _capture(home, catalogue, fixture, documents, amounts, seed, quiet)
    with home.open_catalogue() as catalogue:
        stage("defects and their ledgers")
        _extract(catalogue, quiet)
        truth_folder = output / "fixture" / "truth"
        score = score_cameras(catalogue, truth_folder, amounts)
        stage("datasets: controlled, biased, without ageing")
        datasets = _freeze(home, catalogue, documents, amounts, seed)
        _write_audits(catalogue, datasets, output / "audits")
        masks = documents / "true-new-defects.json"
        masks.write_text(json.dumps(score.new_places), encoding="utf-8")
        stage("experiments")
        experiments = _train(
            home, catalogue, output / "plan", amounts, seed, masks, datasets, quiet
        )
        placebo = experiments["without-ageing"]
        judgements = {
            name: examine(catalogue, experiments[name].uuid, [placebo]).judgement
            for name in ("controlled", "biased")
        }
        results = DemoResults(
            amounts=amounts,
            size=size,
            seed=seed,
            cameras=len(description["cameras"]),
            shots=shots,
            score=score,
            datasets=datasets,
            experiments=experiments,
            judgements=judgements,
        )
        summary = results.summary(seconds=round(time.monotonic() - started, 1))
        stage("report")
        write_demo_report(catalogue, results, summary, output / "report.html")
    summary["seconds"] = round(time.monotonic() - started, 1)
    (output / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    stage(f"wrote {output / 'report.html'} and {output / 'summary.json'}")
    return summary


def _clear(output: Path) -> None:
    """Remove an earlier demo, and only that."""
    if not output.exists():
        return
    foreign = [entry.name for entry in output.iterdir() if entry.name not in _OURS]
    if foreign:
        raise RequestError(
            f"{output} holds {foreign[0]}, which no demo made: name another folder with --output"
        )
    for entry in output.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _configure(folder: Path, fixture: VirtualFixture) -> Home:
    """Point the home's clock and actuator at the virtual fixture."""
    settings = folder / SETTINGS_NAME
    settings.write_text(
        f"""\
[timeslots]
default_scheme = "{plan.SCHEME}"

[clock]
source = "simulated"
url = "{fixture.control_url}"

[actuators.{plan.FIXTURE}]
kind = "virtual"
url = "{fixture.control_url}"
""",
        encoding="utf-8",
    )
    return load_home(folder)


def _capture(
    home: Home,
    catalogue: Catalogue,
    fixture: VirtualFixture,
    documents: Path,
    amounts: plan.Amounts,
    seed: int,
    quiet: bool,
) -> dict[str, int]:
    """Run every session of the schedule and count what became of the shots."""
    now = HostClock().now()
    equipment.add_fixture(catalogue, equipment.read_description(fixture.fixture_file), now)
    scheme = _write(documents / "timeslots.yaml", plan.timeslot_scheme())
    timeslots.add_scheme(catalogue, timeslots.read_scheme(scheme), now)
    combined = read_recipe(_write(documents / "combined.yaml", plan.combined_recipe(amounts)))
    dark = read_recipe(_write(documents / "dark.yaml", plan.dark_recipe(amounts)))
    due = [
        (time_, dark if group == "between" else combined)
        for group, times in plan.session_times(amounts).items()
        for time_ in times
    ]
    surroundings = np.random.default_rng(seed)
    counts = {"sessions": 0, "registered": 0, "quarantined": 0}
    with progress_bar("sessions", quiet=quiet) as advance:
        for number, (time_, recipe) in enumerate(sorted(due, key=lambda pair: pair[0])):
            advance(number, len(due))
            fixture.set_civil_time(time_)
            fixture.set_surroundings(
                temperature_c=22.0 + float(surroundings.uniform(-2, 2)),
                lamp_level=plan.LAMP_LEVEL * float(surroundings.uniform(0.97, 1.03)),
            )
            outcome = run_recipe(home, catalogue, recipe, operator="demo")
            counts["sessions"] += 1
            counts["registered"] += outcome.frames_registered
            counts["quarantined"] += outcome.frames_quarantined
            advance(number + 1, len(due))
    return counts


def _extract(catalogue: Catalogue, quiet: bool) -> None:
    with catalogue.reading() as session:
        cameras = list(session.scalars(select(Camera.id).order_by(Camera.id)))
    with progress_bar("extractions", quiet=quiet) as advance:
        found = records.extract_pending(catalogue, camera_ids=cameras, progress=advance)
    for uuid, why in found.failed.items():
        raise AgetraceError(f"the dark fields of session {uuid} could not be measured: {why}")
    ledger_records.build_ledgers(catalogue, cameras)


def _freeze(
    home: Home, catalogue: Catalogue, documents: Path, amounts: plan.Amounts, seed: int
) -> dict[str, Frozen]:
    """Audit and freeze the datasets; the biased one fails, and says why it is there."""
    now = HostClock().now()

    def pixels(manifest: Manifest) -> tuple[BaselineFeatures, ...]:
        folder = home.work_root / "baselines"
        return pixel_features(catalogue, manifest.items, cache=GridCache(folder))

    return {
        name: freeze(
            catalogue,
            parse_spec(_write(documents / f"dataset-{name}.yaml", document).read_text("utf-8")),
            now,
            force=plan.FORCED.get(name),
            pixels=pixels,
        )
        for name, document in plan.dataset_specifications(amounts, seed).items()
    }


def _write_audits(catalogue: Catalogue, datasets: Mapping[str, Frozen], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, frozen in datasets.items():
        manifest = load(catalogue, frozen.version)
        write_audit_page(
            frozen.audit,
            folder / f"{name}.html",
            header=manifest.header,
            parents=lineage(catalogue, manifest),
        )


def _write(file: Path, document: Mapping[str, Any]) -> Path:
    """Write a document that the demo then reads as a user's would be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
    return file


def _train(
    home: Home,
    catalogue: Catalogue,
    documents: Path,
    amounts: plan.Amounts,
    seed: int,
    masks: Path,
    datasets: dict[str, Frozen],
    quiet: bool,
) -> dict[str, ExperimentSummary]:
    versions = {name: frozen.version for name, frozen in datasets.items()}
    files = {
        name: _write(documents / f"experiment-{name}.yaml", document)
        for name, document in plan.experiment_specifications(
            amounts, seed, versions, masks.resolve()
        ).items()
    }
    with progress_bar("runs", quiet=quiet) as advance:
        run_side_by_side(
            [
                ["--home", str(home.folder), "experiment", "run", str(file)]
                for file in files.values()
            ],
            lambda: advance(_recorded_runs(catalogue), amounts.runs * len(files)),
        )
    return {name: summarise(catalogue, name) for name in files}


def _recorded_runs(catalogue: Catalogue) -> int:
    with catalogue.reading() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0
