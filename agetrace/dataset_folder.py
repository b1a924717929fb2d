"""A frozen dataset as a folder for other people: manifest, specification, audit."""

from __future__ import annotations

import json
from pathlib import Path

from agetrace.errors import RequestError
from datastore.catalogue import Catalogue
from datastore.datasets.auditing.records import newest_audit
from datastore.datasets.loading import lineage, load

_README = """\
# {name}

Version `{version}`, the sha256 of `manifest.jsonl`: {items} files, frozen by agetrace.

- `manifest.jsonl`: a header, then one line per file with its sha256, label, block and facts
- `specification.yaml`: what was asked for
- `audit.json`, `audit.html`: whether anything but age goes with the label

{warnings}The frames are not here. `agetrace export tree --dataset {short}` writes them as files,
`agetrace export webdataset` and `agetrace export huggingface` in those formats.
"""


def write_dataset_folder(catalogue: Catalogue, reference: str, folder: Path) -> list[str]:
    """Write a dataset's documents to a new folder, and return their names.

    Raises
    ------
    RequestError
        If the folder is there already.
    UnknownDatasetError
        If nothing, or more than one version, answers to the reference.
    """
    import yaml

    manifest = load(catalogue, reference)
    found = newest_audit(catalogue, manifest.unforced_version)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise RequestError(f"{folder} is there already: name another folder") from None
    header = manifest.header
    files = {
        "manifest.jsonl": manifest.content,
        "specification.yaml": yaml.safe_dump(header.specification, sort_keys=False).encode(),
    }
    if found is not None:
        files["audit.json"] = (json.dumps(found.report.to_json(), indent=1) + "\n").encode()
    warnings = []
    if header.simulated:
        warnings.append("Some of its cameras are simulated.")
    if header.uncontrolled:
        warnings.append("Its content is uncontrolled.")
    if header.forced is not None:
        failed = ", ".join(header.forced.failed)
        warnings.append(
            f"It was frozen although its audit fails ({failed}): {header.forced.reason}"
        )
    warnings += [f"Waived {one.constraint}: {one.reason}" for one in header.waived]
    files["README.md"] = _README.format(
        name=header.name,
        version=manifest.version,
        items=header.items,
        short=manifest.version[:12],
        warnings="".join(f"**{one}**\n\n" for one in warnings),
    ).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if found is not None:
        from datastore.datasets.auditing.page import write_audit_page

        parents = lineage(catalogue, manifest)
        write_audit_page(found.report, folder / "audit.html", header=header, parents=parents)
        files["audit.html"] = b""
    return sorted(files)
