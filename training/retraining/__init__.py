"""Periodic retraining: policies, the registry of models, and what a closed timeslot calls for."""
