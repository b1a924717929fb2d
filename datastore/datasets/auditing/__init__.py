"""Audits of datasets: is any recorded nuisance, or anything easily seen, associated with the label?

Everything here works on the columns of `facts`, so that the statistics know no catalogue.
"""
