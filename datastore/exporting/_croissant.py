"""Croissant 1.1: a description of a finished export that machines load it by; reads no catalogue.

Source: Croissant Format Specification 1.1 (MLCommons, 2026-01-29).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datastore.durable import write_durably
from datastore.errors import ExportRefusedError
from datastore.exporting._items import COLUMNS, ColumnKind
from datastore.exporting._run import ACCOUNT
from datastore.exporting._tables import columns_of

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

_TYPES: Final[dict[ColumnKind, str]] = {
    "text": "sc:Text",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "time": "sc:DateTime",
}
_ENCODINGS: Final = {
    ".csv": "text/csv",
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
    "": "text/plain",
}
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True)
class Citation:
    """What only whoever publishes a dataset can say of it; None is left out.

    Attributes
    ----------
    name, description
        Of the dataset.
    licence
        URL or SPDX identifier.
    cite_as
        How to cite it.
    creator
        Person or institution.
    url
        Where it is published.
    """

    name: str
    description: str
    licence: str | None = None
    cite_as: str | None = None
    creator: str | None = None
    url: str | None = None


def describe(folder: Path, citation: Citation) -> Path:
    """Write `croissant.json` into the folder of a finished export, and return where it is.

    Raises
    ------
    ExportRefusedError
        If the folder holds no finished export, or one of a format that is described otherwise.
    """
    try:
        account = json.loads((folder / ACCOUNT).read_bytes())
    except FileNotFoundError:
        raise ExportRefusedError(
            f"{folder} holds no finished export: it has no {ACCOUNT}"
        ) from None
    form = account["request"]["format"]
    if form == "huggingface":
        raise ExportRefusedError(
            f"{folder} is a Hugging Face export: its card and Parquet schema describe it"
        )
    files = [_file(one) for one in account["files"]]
    columns: dict[str, ColumnKind]
    if form == "webdataset":
        files, columns = _with_facts(files), {"shard": "text", **COLUMNS}
    elif form == "tree":
        columns = {"path": "text", **COLUMNS}
    else:
        columns = columns_of(account["request"]["per"])
    given = {
        "license": citation.licence,
        "citeAs": citation.cite_as,
        "url": citation.url,
        "creator": (
            None if citation.creator is None else {"@type": "Person", "name": citation.creator}
        ),
    }
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": citation.name,
        "description": citation.description,
        "datePublished": account["finished_at"],
        "version": "1.0.0",
        **{name: value for name, value in given.items() if value is not None},
        "distribution": files,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "frames",
                "name": "frames",
                "description": "Frames with the recorded facts of their shots.",
                "field": [_field(files[0]["@id"], name, kind) for name, kind in columns.items()],
            }
        ],
    }
    target = folder / "croissant.json"
    write_durably(target, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return target


def _file(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": one["path"],
        "name": one["path"],
        "contentUrl": one["path"],
        "contentSize": f"{one['bytes']} B",
        "encodingFormat": _ENCODINGS[Path(one["path"]).suffix],
        "sha256": one["sha256"],
    }


def _with_facts(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what lies in the shards, which are all files but the table."""
    facts = {
        "@type": "cr:FileSet",
        "@id": "facts",
        "name": "facts",
        "description": "The facts of each file, beside it in its shard.",
        "containedIn": [{"@id": file["@id"]} for file in files[1:]],
        "encodingFormat": "application/json",
        "includes": "*.json",
    }
    return [*files, facts] if files[1:] else files


def _field(table: str, name: str, kind: ColumnKind) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"frames/{name}",
        "name": name,
        "dataType": _TYPES[kind],
        "source": {"fileObject": {"@id": table}, "extract": {"column": name}},
    }
