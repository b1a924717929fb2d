"""What the stored catalogues hold: rows in every table of every revision, made up for them.

Two cameras, a session that captured and one that imported, shots whose events and verdicts changed
more than once, and what later work concluded from them. The rows of a revision are added to those
of the revisions before it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Row = dict[str, Any]

START = datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC)
_EAST = timezone(timedelta(hours=5, minutes=45))


def after(seconds: float) -> datetime:
    """Return a moment so long after the stored session began."""
    return START + timedelta(seconds=seconds)


def sha256(number: int) -> str:
    """Return a made-up hash."""
    return f"{number:064x}"


def uuid(number: int) -> str:
    """Return a made-up identifier."""
    return f"00000000-0000-4000-8000-{number:012d}"


def _shot(number: int, camera: int | None, sequence: int, **values: Any) -> Row:
    return {
        "id": number,
        "uuid": uuid(number),
        "session_id": 1,
        "camera_id": camera,
        "sequence": sequence,
        "attempt": 1,
        "kind": "dark-field",
        "triggered_at": after(number),
        "time_source": "civil",
        "exposure": "1/30",
        "exposure_s": 1 / 30,
        "iso": 800,
        "f_number": 5.6,
        "image_quality": "raw+jpeg",
        "warm_up": False,
        **values,
    }


def _events(rows: list[tuple[int, str]]) -> list[Row]:
    return [
        {"id": number, "shot_id": shot, "name": name, "at": after(number), "detail": None}
        for number, (shot, name) in enumerate(rows, 1)
    ]


def _verdict(number: int, shot: int, verdict: str, author: str, **values: Any) -> Row:
    return {
        "id": number,
        "shot_id": shot,
        "verdict": verdict,
        "reason": "light-leak" if author == "checks" else "looked at it: fine, “café”",
        "numbers": {"excess_dn": 3.25, "limit_dn": 2} if author == "checks" else None,
        "author": author,
        "at": after(100 + number),
        **values,
    }


def _asset(number: int, role: str, shot: int | None = None, **values: Any) -> Row:
    return {
        "id": number,
        "sha256": sha256(number),
        "bytes": 5_000_000_000 + number,
        "role": role,
        "shot_id": shot,
        "original_name": None if shot is None else f"IMG_{number:04}.DNG",
        "width": 6000,
        "height": 4000,
        "exif": None,
        "metadata_reader": None,
        "created_at": after(200 + number),
        **values,
    }


FIRST: dict[str, list[Row]] = {
    "camera": [
        {
            "id": 1,
            "serial": "7100001",
            "identity_source": "serial",
            "make": "Nikon",
            "model": "D7100",
            "simulated": False,
            "sensor_type": "CMOS",
            "width": 6000,
            "height": 4000,
            "pixel_pitch_um": 3.9,
            "cfa": "RGGB",
            "white_level": 16383,
            "registered_at": START,
        },
        {
            "id": 7,
            "serial": "old body",
            "identity_source": "alias",
            "make": "Canon",
            "model": "PowerShot A720 IS",
            "simulated": True,
            "registered_at": after(-86400),
        },
    ],
    "fixture": [{"id": 1, "name": "north", "simulated": False, "created_at": START}],
    "lease": [
        {
            "resource": "camera:7100001",
            "holder": "process 1 on lab",
            "fencing_token": 3,
            "expires_at": after(60),
        }
    ],
    "recipe": [
        {
            "id": 1,
            "name": "weekly",
            "content_sha256": sha256(100),
            "body": {"shots": [{"kind": "dark-field", "exposure": "1/30", "count": 2}]},
            "created_at": START,
        }
    ],
    "store": [{"id": 1, "name": "local", "kind": "local", "created_at": START}],
    "timeslot_scheme": [{"id": 1, "name": "years", "description": None, "created_at": START}],
    "defect_ledger": [
        {
            "id": 1,
            "uuid": uuid(900),
            "camera_id": 1,
            "code_version": "0.1.0",
            "parameters": {"threshold": 5.0},
            "inputs": [1],
            "summary": {"defects": 1},
            "created_at": after(900),
        }
    ],
    "fixture_revision": [
        {
            "id": 1,
            "fixture_id": 1,
            "revision": 1,
            "content_sha256": sha256(101),
            "description": {"name": "north", "zone": "Europe/Vienna", "width_m": 0.5},
            "created_at": START,
        }
    ],
    "scene": [{"id": 1, "fixture_id": 1, "name": "books"}],
    "timeslot": [
        {
            "id": 1,
            "scheme_id": 1,
            "ordinal": 1,
            "starts_at": datetime(2026, 1, 1, tzinfo=UTC),
            "ends_at": datetime(2027, 1, 1, tzinfo=UTC),
        }
    ],
    "ledger_defect": [
        {
            "ledger_id": 1,
            "row": 17,
            "column": 3999,
            "kind": "hot",
            "pre_existing": False,
            "onset_after": after(-86400),
            "onset_before": START,
            "last_seen": START,
            "dark_rate_dn_per_s": 1e-9,
            "dark_rate_error_dn_per_s": 0.1 + 0.2,
            "offset_dn": None,
            "offset_error_dn": None,
            "amplitude_dn": 412.5,
            "significance": 31.0,
            "blinking": True,
            "annealed": False,
            "flags": ["few-frames"],
        }
    ],
    "mounted_camera": [{"fixture_revision_id": 1, "camera_id": 1, "address": "usb:001,004"}],
    "scene_revision": [
        {
            "id": 1,
            "scene_id": 1,
            "revision": 1,
            "fixture_revision_id": 1,
            "background": "grey card",
            "foreground": "two books",
            "illumination": "lamp",
            "content_sha256": sha256(102),
        }
    ],
    "session": [
        {
            "id": 1,
            "uuid": uuid(1001),
            "kind": "capture",
            "fixture_revision_id": 1,
            "recipe_id": 1,
            "operator": "Ana",
            "clock_source": "host",
            "started_at": START,
            "note": None,
        },
        {
            "id": 2,
            "uuid": uuid(1002),
            "kind": "import",
            "clock_source": "host",
            "started_at": after(3600).astimezone(_EAST).astimezone(UTC),
            "note": "it's from the old disk; don't ask",
        },
    ],
    "session_event": [
        {"id": 1, "session_id": 1, "name": "started", "at": START, "detail": None},
        {
            "id": 2,
            "session_id": 1,
            "name": "scene-changed",
            "at": after(1),
            "detail": {"scene": "books"},
        },
        {"id": 3, "session_id": 1, "name": "completed", "at": after(50), "detail": None},
        {"id": 9, "session_id": 2, "name": "partial", "at": after(3700), "detail": {"refused": 1}},
    ],
    "shot": [
        _shot(1, 1, 1),
        _shot(2, 1, 2),
        _shot(3, 1, 3, kind="fixed-background", scene_revision_id=1),
        _shot(4, 1, 3, kind="fixed-background", scene_revision_id=1, attempt=2),
        _shot(5, 7, 1, kind="flat-field", warm_up=True),
        _shot(6, 7, 2, triggered_at=None, time_source=None),
        # imported: no time, no settings
        _shot(
            *(20, None, 1),
            session_id=2,
            kind="natural",
            triggered_at=None,
            time_source="exif",
            exposure=None,
            exposure_s=None,
            iso=None,
            f_number=None,
            image_quality=None,
        ),
    ],
    "staged_scene": [{"fixture_revision_id": 1, "scene_revision_id": 1}],
    "asset": [
        _asset(
            *(1, "raw", 1),
            exif={"Model": "NIKON D7100", "Comment": 'a "quoted" \\ \n line'},
            metadata_reader="exiftool 12.57",
        ),
        _asset(2, "jpeg", 1),
        _asset(3, "raw", 4),
        _asset(4, "other", 20),
        _asset(5, "manifest"),
        _asset(6, "model"),
        _asset(7, "measurement"),
    ],
    # shot 1 went all the way; shot 2 failed and was found on the card later; shot 3 failed; shot
    # 6 was only planned, shot 20 has no event; their events are interleaved
    "shot_event": _events(
        [
            *((1, "planned"), (2, "planned"), (5, "planned"), (1, "triggered"), (2, "triggered")),
            *((1, "downloaded"), (2, "failed"), (1, "verified"), (1, "registered")),
            *((2, "downloaded"), (2, "verified"), (2, "registered"), (3, "planned")),
            *((3, "triggered"), (3, "failed"), (4, "planned"), (4, "triggered"), (4, "verified")),
            *((5, "triggered"), (6, "planned"), (5, "failed")),
        ]
    ),
    "shot_settings": [
        {
            "id": 1,
            "shot_id": 1,
            "source": "exif",
            "exposure_s": 0.03333,
            "iso": 800,
            "f_number": 5.6,
            "image_quality": "raw",
            "temperature_c": 31.5,
            "taken_at": after(0.5),
            "taken_at_text": "2026:03:29 02:00:00",
            "firmware": "1.04",
            "long_exposure_noise_reduction": False,
            "raw_values": {"iso": "800"},
        },
        {"id": 2, "shot_id": 1, "source": "read-back", "long_exposure_noise_reduction": None},
    ],
    "verdict": [
        _verdict(1, 1, "quarantined", "checks"),
        _verdict(2, 2, "accepted", "checks"),
        _verdict(3, 1, "rejected", "Ana"),
        _verdict(4, 20, "quarantined", "checks"),
        # the newest counts, whatever its time says
        _verdict(5, 1, "accepted", "Ana", at=after(-100)),
    ],
    "asset_location": [
        {"asset_id": 1, "store_id": 1, "verified_at": after(500)},
        {"asset_id": 2, "store_id": 1, "verified_at": after(400)},
    ],
    "dataset": [
        {
            "id": 1,
            "version": sha256(103),
            "name": "controlled",
            "specification": {"classes": []},
            "waived": [],
            "manifest_asset_id": 5,
            "created_at": after(700),
        }
    ],
    "defect_extraction": [
        {
            "id": 1,
            "session_id": 1,
            "camera_id": 1,
            "code_version": "0.1.0",
            "parameters": {"threshold": 5.0},
            "parameters_sha256": sha256(104),
            "inputs": [sha256(1)],
            "summary": {"frames": 2},
            "maps_asset_id": 7,
            "started_at": after(1),
            "created_at": after(600),
        }
    ],
    "dataset_item": [
        {"dataset_id": 1, "position": 0, "asset_id": 1, "class_name": "early", "block": "train"}
    ],
    "defect_observation": [
        {
            "extraction_id": 1,
            "row": 17,
            "column": 3999,
            "kind": "hot",
            "dark_rate_dn_per_s": 103.1,
            "dark_rate_error_dn_per_s": None,
            "offset_dn": -0.0,
            "offset_error_dn": 0.5,
            "amplitude_dn": 412.5,
            "significance": 31.0,
            "flags": [],
        }
    ],
    "experiment": [
        {
            "id": 1,
            "uuid": uuid(901),
            "name": "age",
            "dataset_id": 1,
            "specification": {"network": "srnet"},
            "content_sha256": sha256(105),
            "code_version": "0.1.0",
            "created_at": after(800),
        }
    ],
    "run": [
        {
            "id": 1,
            "uuid": uuid(902),
            "experiment_id": 1,
            "ordinal": 1,
            "seed": 9_007_199_254_740_993,
            "machine": {"cores": 2},
            "training_history": [{"epoch": 1, "loss": 0.69}],
            "model_asset_id": 6,
            "started_at": after(801),
            "finished_at": after(850),
        }
    ],
    "prediction": [
        {
            "id": 1,
            "run_id": 1,
            "evaluation": "clean",
            "asset_id": 1,
            "class_name": "early",
            "predicted_class_name": "late",
            "score": 0.505,
            "crops": 9,
            "crops_correct": 4,
        }
    ],
    "saliency_map": [
        {
            "id": 1,
            "run_id": 1,
            "camera_id": 1,
            "method": "grad-cam",
            "evaluation": "clean",
            "class_name": "early",
            "images": 1,
            "map_asset_id": 7,
            "measures": {"peak": 2.5},
        }
    ],
}

SECOND: dict[str, list[Row]] = {
    "session_event": [
        {"id": 10, "session_id": 1, "name": "camera-lost", "at": after(20), "detail": None}
    ],
    "shot": [
        {**_shot(30, 1, 9), "since_opened_s": 3600.25, "since_last_shot_s": 4.5},
    ],
    "scene_reference": [
        {
            "id": 1,
            "scene_revision_id": 1,
            "camera_id": 1,
            "shot_id": 4,
            "descriptor": bytes(range(256)),
            "operator": None,
            "created_at": after(300),
        }
    ],
    "session_request": [
        {"id": 1, "session_id": 1, "name": "pause", "operator": "Ana", "at": after(10)}
    ],
    "operator_prompt": [
        {
            "id": 1,
            "uuid": uuid(903),
            "session_id": 1,
            "kind": "scene",
            "text": "please set up 'books'",
            "asked_at": after(5),
        }
    ],
    "operator_answer": [
        {"id": 1, "prompt_id": 1, "answer": "done", "operator": "Ana", "answered_at": after(9)}
    ],
}

THIRD: dict[str, list[Row]] = {
    "timeslot_scheme": [
        {
            "id": 2,
            "name": "months",
            "description": "by the month",
            "zone": "Europe/Vienna",
            "created_at": START,
        }
    ],
    "schedule": [
        {
            "id": 1,
            "uuid": uuid(904),
            "name": "weekly",
            "fixture_id": 1,
            "recipe_id": 1,
            "description": {"rule": "FREQ=WEEKLY", "zone": "Europe/Vienna"},
            "operator": "Ana",
            "created_at": START,
        }
    ],
    "schedule_event": [
        {
            "id": 1,
            "schedule_id": 1,
            "name": "added",
            "at": START,
            "operator": "Ana",
            "reason": None,
        }
    ],
    "schedule_expansion": [{"schedule_id": 1, "expanded_until": after(86400)}],
    "occurrence": [
        {
            "id": number,
            "uuid": uuid(910 + number),
            "schedule_id": 1,
            "due_at": after(600 * number),
            "starts_at": after(600 * number + 5),
            "window_ends_at": after(600 * number + 300),
            "state": state,
            "reason": reason,
            "detail": None,
            "attempts": 1,
            "not_before": None,
            "settled_at": after(600 * number + 60),
        }
        for number, state, reason in ((1, "completed", None), (2, "missed", "daemon-down"))
    ],
    "occurrence_event": [
        {
            "id": number,
            "occurrence_id": 1,
            "name": name,
            "at": after(600 + number),
            "by": "daemon 1",
            "reason": None,
            "detail": None,
        }
        for number, name in enumerate(("pending", "claimed", "completed"), 1)
    ],
    "occurrence_session": [{"session_id": 1, "occurrence_id": 1}],
    "job": [
        {
            "id": 1,
            "uuid": uuid(905),
            "name": "extract-defects",
            "subject": uuid(1001),
            "command": ["defects", "extract"],
            "limit_s": 3600.0,
            "state": "failed",
            "reason": "exit-code",
            "detail": "it said: no",
            "due_at": after(60),
            "attempts": 3,
            "started_at": after(61),
            "ended_at": after(62),
            "exit_code": 1,
            "log": "jobs/1.log",
        }
    ],
    "job_event": [
        {"id": 1, "job_id": 1, "name": "failed", "at": after(62), "by": None, "detail": None}
    ],
    "daemon": [
        {
            "id": 1,
            "uuid": uuid(906),
            "holder": "process 1 on lab",
            "version": "0.3.0",
            "clock_source": "host",
            "state": "stopped",
            "started_at": START,
            "seen_at": after(5000),
        }
    ],
    "notification": [
        {
            "id": 1,
            "uuid": uuid(907),
            "channel": "lab",
            "subject": "occurrence 2",
            "title": "missed",
            "body": "nobody was there",
            "state": "sent",
            "attempts": 1,
            "created_at": after(1300),
            "next_attempt_at": after(1300),
            "sent_at": after(1301),
            "error": None,
        }
    ],
}

FOURTH: dict[str, list[Row]] = {
    "shot": [{**_shot(40, 7, 30), "time_uncertainty_s": 43200.0}],
    "clock_probe": [
        {
            "id": 1,
            "camera_id": 1,
            "session_id": 1,
            "at": after(2),
            "skew_s": -3599.5,
            "source": "probe",
        }
    ],
    "asset_reference": [
        {
            "id": 1,
            "asset_id": 4,
            "session_id": 2,
            "folder": "/media/old disk",
            "path": "DCIM/IMG_0001.JPG",
            "at": after(3601),
        }
    ],
    "frame_measures": [
        {
            "asset_id": 1,
            "black_level_dn": 600.0,
            "mean_dn": 601.5,
            "clipped_share": 0.0,
            "sharpness": None,
            "temperature_c": 31.5,
            "code_version": "0.4.0",
            "measured_at": after(5000),
        }
    ],
    "saved_selection": [
        {
            "id": 1,
            "name": "darks",
            "expression": "kind = dark-field",
            "timeslot_scheme": None,
            "operator": "Ana",
            "created_at": after(6000),
        }
    ],
    "asset_location": [
        {
            "asset_id": 3,
            "store_id": 1,
            "verified_at": after(500),
            "problem": "damaged",
            "problem_at": after(5000),
        }
    ],
}

FIFTH: dict[str, list[Row]] = {
    "perceptual_hash": [
        {"asset_id": 1, "hash": None, "code_version": "0.5.0", "measured_at": after(5001)},
        {"asset_id": 4, "hash": "0f" * 32, "code_version": "0.5.0", "measured_at": after(5002)},
    ],
    "dataset_audit": [
        {
            "id": 1,
            "uuid": uuid(50),
            "manifest_version": sha256(103),
            "verdict": "fail",
            "rules": {"scene": "fail", "temperature": "inconclusive"},
            "parameters": {"alpha": 0.05, "permutations": 9999, "seed": 0},
            "report_asset_id": 1,
            "code_version": "0.5.0",
            "created_at": after(6000),
        }
    ],
    "dataset_freeze": [
        {
            "dataset_id": 1,
            "audit_id": 1,
            "forced_reason": "shows what content does",
            "family": None,
            "fold": None,
        }
    ],
}

SIXTH: dict[str, list[Row]] = {
    "ledger_history": [
        {
            "ledger_id": 1,
            "series_asset_id": 1,
            "mapping_events": [{"session": uuid(20), "vanished": 40, "at_risk": 44}],
        }
    ],
    "flat_extraction": [
        {
            "id": 1,
            "session_id": 1,
            "camera_id": 1,
            "code_version": "0.6.0",
            "parameters": {"false_discovery_rate": 0.01},
            "parameters_sha256": sha256(110),
            "inputs": [sha256(1)],
            "summary": {"rows": 64, "columns": 64},
            "started_at": after(1),
            "created_at": after(7000),
        }
    ],
    "flat_observation": [
        {
            "extraction_id": 1,
            "row": 3,
            "column": 5,
            "kind": "dead",
            "response": 0.01,
            "response_error": 0.002,
            "significance": 90.5,
            "under_dust": False,
        }
    ],
    "dust_spot": [
        {
            "extraction_id": 1,
            "number": 0,
            "row": 10.5,
            "column": 20.25,
            "radius_photosites": 6.0,
            "depth": 0.08,
            "depth_error": 0.004,
            "significance": 20.0,
        }
    ],
    "camera_fingerprint": [
        {
            "id": 1,
            "camera_id": 1,
            "code_version": "0.6.0",
            "inputs": [sha256(1)],
            "fingerprint_asset_id": 1,
            "created_at": after(7001),
        }
    ],
}

ROWS_BY_REVISION = {
    "0001": FIRST,
    "0002": SECOND,
    "0003": THIRD,
    "0004": FOURTH,
    "0005": FIFTH,
    "0006": SIXTH,
}

AUDITED: list[tuple[str, dict[str, Any], datetime]] = [
    ("fixture.add", {"name": "north", "revision": 1}, START),
    ("verdict.add", {"shot": uuid(1), "verdict": "accepted", "author": "Ana"}, after(110)),
    ("dataset.freeze", {"name": "controlled", "version": sha256(103)}, after(700)),
]
