"""What dataset commands print: plans, audits, differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datastore.datasets.auditing.report import AuditReport
    from datastore.datasets.freeze import Selected


def plan_of(selected: Selected) -> dict[str, Any]:
    """Return what would be frozen as JSON values."""
    from dataclasses import asdict

    from datastore.datasets.freeze import count_items

    header = selected.manifest.header
    return {
        "name": header.name,
        "version": selected.manifest.version,
        "items": header.items,
        "bound": selected.bound,
        "gap": gap_of(header.items, selected.bound),
        "counts": [asdict(one) for one in count_items(selected.manifest)],
        "left_out": selected.left_out,
        "constraints": [one.model_dump() for one in header.constraints],
        "waived": [one.model_dump() for one in header.waived],
        "smallest_p": smallest_p(selected),
    }


def gap_of(items: int, bound: int | None) -> float | None:
    """Return the share of the bound that is missing."""
    return None if not bound else round(1 - items / bound, 4)


def smallest_p(selected: Selected) -> dict[str, float]:
    """Return, by test block, the smallest p-value that its sessions permit."""
    from datastore.datasets.auditing.relabelling import relabelling_count
    from datastore.datasets.items import TEST_BLOCKS

    found: dict[str, float] = {}
    for block in TEST_BLOCKS:
        labels = {item.session_unit: item.class_name for item in selected.manifest.block(block)}
        if labels:
            found[block] = 1 / relabelling_count(list(labels.values()))
    return found


def plan_text(plan: dict[str, Any]) -> str:
    """Return lines for people: counts, gap, what was left out and why, which p is possible."""
    lines = [f"{plan['name']} would be {plan['version'][:12]}: {plan['items']} items"]
    lines += [
        f"  {one['block']} {one['class_name']} {one['camera_serial']}: {one['items']}"
        for one in plan["counts"]
    ]
    if plan["gap"] is not None:
        lines.append(f"  no split could keep more than {plan['bound']}: gap {plan['gap']:.1%}")
    lines += [f"  left out {number}: {why}" for why, number in plan["left_out"].items()]
    lines += [f"  waived {one['constraint']}: {one['reason']}" for one in plan["waived"]]
    for block, p in plan["smallest_p"].items():
        enough = "" if p <= 0.05 else ": no result on it can be significant, add test sessions"
        lines.append(f"  block {block} permits p-values down to {p:.2g}{enough}")
    return "\n".join(lines)


def audit_text(name: str, report: AuditReport) -> str:
    """Return lines for people: the verdict, and every rule with its reason."""
    lines = [f"{name} {report.manifest_version[:12]}: audit {report.verdict}"]
    lines += [f"  {rule.verdict:12} {rule.sentence}" for rule in report.rules]
    lines += [f"  nested       {one.sentence}" for one in report.nestings]
    return "\n".join(lines)
