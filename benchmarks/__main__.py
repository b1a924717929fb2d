"""``python -m benchmarks [NAME] [--json] [--full]``: run comparisons and write down the results.

A benchmark is a module of this package without a leading underscore that has
``run(full: bool) -> list[Result]``; its name is the module's, with hyphens.
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
    return sorted(
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_")
    )


def run(name: str, full: bool) -> list[Result]:
    """Run one benchmark."""
    module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
    results: list[Result] = module.run(full)
    return results


def as_markdown(results: Sequence[Result]) -> str:
    """Return the page of results."""
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
    results = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += run(name, options.full)
    page = as_markdown(results)
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
