"""Defects: measured from dark fields, followed over sessions in a ledger; knows no network."""
