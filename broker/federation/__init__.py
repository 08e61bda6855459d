"""Federation: operations that reach other brokers by their registrations (4.3.6)."""
