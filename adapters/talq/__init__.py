"""TALQ Smart City Protocol 2.7.1: street lighting."""
