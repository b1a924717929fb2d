"""Rows that revisions 0007 and 0008 add to the stored catalogues: models, verdicts."""

from __future__ import annotations

from tests.support.stored_rows import Row, after, sha256, uuid

SEVENTH: dict[str, list[Row]] = {
    "run_execution": [
        {
            "run_id": 1,
            "dataset_id": 1,
            "execution": {"device": "cpu", "precision": "bfloat16", "threads": 1},
            "selected_step": 120,
            "validation_history": [[60, 0.61, 0.7], [120, 0.4, 0.9]],
        }
    ],
    "run_predictions": [{"run_id": 1, "evaluation": "clean", "predictions_asset_id": 1}],
    "registered_model": [
        {
            "id": 1,
            "uuid": uuid(120),
            "name": "monthly",
            "version": 1,
            "experiment_id": 1,
            "created_at": after(8000),
        }
    ],
    "model_event": [
        {
            "id": number,
            "model_id": 1,
            "state": state,
            "at": after(8000 + number),
            "operator": operator,
            "reason": "the first of its line",
            "numbers": numbers,
        }
        for number, (state, operator, numbers) in enumerate(
            [("candidate", None, None), ("in-service", "Ana", {"accuracy": 0.9})], 1
        )
    ],
    "retraining": [
        {
            "id": 1,
            "uuid": uuid(121),
            "policy": "monthly",
            "timeslot_id": 1,
            "policy_document": {"name": "monthly"},
            "created_at": after(8010),
        }
    ],
    "retraining_event": [
        {
            "id": 1,
            "retraining_id": 1,
            "step": "frozen",
            "at": after(8011),
            "reason": None,
            "numbers": {"dataset": sha256(103)},
        }
    ],
}

EIGHTH: dict[str, list[Row]] = {
    "evidence_report": [
        {
            "id": 1,
            "uuid": uuid(130),
            "experiment_id": 1,
            "verdict": "no-evidence",
            "reason": "nothing above chance on new scenes in new sessions",
            "parameters": {"seed": 0, "placebos": []},
            "report_asset_id": 1,
            "code_version": "0.1.0",
            "created_at": after(9000),
        }
    ],
}
