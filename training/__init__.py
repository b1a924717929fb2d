"""Defects, age estimators, experiments, saliency and evidence; knows nothing of capture."""
