"""Experiments: their spec, the training loop, evaluation; knows arrays and files, no catalogue."""
