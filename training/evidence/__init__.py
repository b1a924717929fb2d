"""Reports that state what an experiment shows, each line with its number and its lineage."""
