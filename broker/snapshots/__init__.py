"""Snapshots (4.3.7, 5.16): a database each, prepared in the background and addressed as a tenant is.

records       the collection that says which there are, and what is to be done for them
directory     which tenant and which snapshot a database belongs to
staging       a database that is filled aside and put in its place at once
preparation   what fills one: the results of queries, or the data of another snapshot
notices       what endpoints are told
upkeep        what has to be done besides: work that someone left, expiry, databases that nobody owns
"""
