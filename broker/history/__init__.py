"""The history of every entity: recorded from the change log, packed, read and corrected (clauses 5.6.11 to 5.7.4)."""
