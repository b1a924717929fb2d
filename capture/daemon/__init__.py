"""The daemon: has what is due happen, unattended; knows no home and no command line."""
