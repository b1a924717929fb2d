"""Audits of datasets: is a recorded nuisance, or what is easily seen, associated with the label.

`collecting` reads the columns of `facts` from the catalogue and `records` writes down what was
found; the statistics between them work on columns alone and know no catalogue.
"""
