"""Adapters: what a vendor's supervisor sends becomes NGSI-LD entities, in any broker that speaks the standard.

One way through: a source yields batches of records, the mapping makes entities of each record, the queue keeps them
on disk, the source acknowledges them to the vendor, and the sink sends them to the broker.
"""
