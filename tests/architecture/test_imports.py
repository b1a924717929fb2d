"""What importing may cost: no torch outside training, no heavy library behind `--help`."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agetrace", "capture", "datastore", "fixtures", "migrations", "training")
TORCH_MODULES = {
    "training.evidence.gathering",
    "training.evidence.looking",
    "training.evidence.questions",
    "training.evidence.recorded_networks",
    "training.experiments.checking",
    "training.experiments.checkpoints",
    "training.experiments.computing",
    "training.experiments.distributed",
    "training.experiments.evaluate",
    "training.experiments.execution",
    "training.experiments.judging",
    "training.experiments.loop",
    "training.experiments.measuring",
    "training.experiments.optimisers",
    "training.experiments.records",
    "training.experiments.runner",
    "training.experiments.runs",
    "training.experiments.saliency_records",
    "training.networks.alexnet",
    "training.networks.five_crop",
    "training.networks.fronts",
    "training.networks.googlenet",
    "training.networks.medians",
    "training.networks.pooling",
    "training.networks.pretrained",
    "training.networks.registry",
    "training.networks.residual",
    "training.networks.srnet",
    "training.patches.dataset",
    "training.retraining.cycle",
    "training.saliency.cam",
    "training.saliency.gradient_maps",
    "training.saliency.integrated_gradients",
    "training.saliency.last_maps",
    "training.saliency.mapping",
    "training.saliency.score_cam",
}
NOT_IMPORTABLE = ("migrations.env", "agetrace.__main__", "fixtures.__main__")


def modules() -> list[str]:
    """Every module of ours, by its dotted name."""
    found = list(PACKAGES)
    for package in PACKAGES:
        found += [
            module.name
            for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
            if module.name not in NOT_IMPORTABLE
        ]
    return found


def importing(names: list[str]) -> str:
    """A statement that imports modules whose names need be no identifiers."""
    return f"import importlib\nfor name in {names!r}: importlib.import_module(name)\n"


def loaded_after(statement: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter after a statement."""
    completed = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(completed.stdout.split())


def test_only_the_training_modules_import_torch() -> None:
    torch_free = [name for name in modules() if name not in TORCH_MODULES]
    assert "training.defects.records" in torch_free
    loaded = loaded_after(importing(torch_free))
    assert "torch" not in loaded


@pytest.mark.parametrize("heavy", ["numpy", "sqlalchemy", "torch", "matplotlib", "cv2", "alembic"])
def test_the_command_line_starts_without_heavy_libraries(heavy: str) -> None:
    assert heavy not in loaded_after("import agetrace.cli.app")


def test_importing_prints_nothing_and_starts_nothing() -> None:
    statements = [
        importing(modules()),
        "import multiprocessing, threading",
        "print(threading.active_count(), len(multiprocessing.active_children()))",
    ]
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(statements)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert completed.stdout.split() == ["1", "0"]
    assert completed.stderr == ""
