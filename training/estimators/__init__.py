"""Classical age estimators behind one protocol; knows no catalogue and no torch."""
