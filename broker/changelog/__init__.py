"""The change log: MongoDB's change streams, read in order by one process at a time, the source of all that follows.

position.py   how far the log has been followed, and the lease of who follows it: one document in MongoDB
changes.py    what a consumer is given: changes of entities and of documents such as subscriptions
stream.py     opening a change stream over the broker's databases, decoding its events
watched.py    making collections that can be followed
log.py        the loop: hold the lease, read, hand batches to the consumers, move the position on
"""
