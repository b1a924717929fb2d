"""``python -m benchmarks [NAME] [--json] [--full]``: run comparisons and write down the results.

A benchmark is a module of this package without a leading underscore that has
``run(full: bool) -> list[Result]``; its name is the module's, with hyphens and without an
underscore at its end. ``NOTES: str`` in it explains its results: a paragraph for people, printed
below the table.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmarks
from benchmarks._result import Result

RESULTS_FILE = Path(__file__).with_name("RESULTS.md")


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(_modules())


def run(name: str, full: bool) -> tuple[list[Result], str]:
    """Run one benchmark, and return its results with the notes that explain them."""
    module = importlib.import_module(f"benchmarks.{_modules()[name]}")
    results: list[Result] = module.run(full)
    return results, getattr(module, "NOTES", "").strip()


def _modules() -> dict[str, str]:
    """Return the modules' names by the benchmarks' names."""
    return {
        # a module cannot be called by a word of the language: `import_` is `import`
        module.name.rstrip("_").replace("_", "-"): module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_")
    }


def as_markdown(results: Sequence[Result], notes: Sequence[str] = ()) -> str:
    """Return the page of results; every note is a paragraph below the table."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks`; a ratio above 1 means better than the peer.",
        "",
        "| benchmark | ours | peer | unit | ratio | goal | limit | repeats | peer is |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        fields = result.to_dict()
        lines.append(
            "| {name} | {ours} | {peer} | {unit} | {ratio} | {goal} | {limit} | {repeats} "
            "| {peer_name} |".format(**fields)
        )
    machines = sorted({result.machine for result in results})
    for note in notes:
        lines += ["", note]
    return "\n".join([*lines, "", *(f"Machine: {machine}." for machine in machines), ""])


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 0 if no ratio is below its limit, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare fast paths with the tools people would use instead. Without NAME, "
        "run all and rewrite benchmarks/RESULTS.md.",
        epilog="Example: python -m benchmarks render --json",
    )
    parser.add_argument("name", nargs="?", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--json", action="store_true", help="one JSON line for each comparison")
    parser.add_argument("--full", action="store_true", help="large sizes and many repeats")
    options = parser.parse_args(arguments)
    chosen = [options.name] if options.name else names()
    results: list[Result] = []
    notes: list[str] = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found, note = run(name, options.full)
        results += found
        notes += [note] if note else []
    page = as_markdown(results, notes)
    if options.json:
        for result in results:
            print(json.dumps(result.to_dict()))
    else:
        print(page, end="")
    if options.name is None:
        RESULTS_FILE.write_text(page, encoding="utf-8")
    return int(any(result.ratio < result.limit for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
