"""Datasets: specification, constraints, blocks, manifest and freeze; decodes no image."""
