"""Audits of datasets: is a recorded nuisance, or what is easily seen, associated with the label.

Everything here works on the columns of `facts`, so that the statistics know no catalogue.
"""
