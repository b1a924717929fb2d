"""The catalogue, the asset store, queries, datasets and frames; imports nothing of ours."""
