"""NGSI-LD (ETSI GS CIM 009 v1.9.1) as a pure library: no I/O, no framework, no clock.

JSON comes in as parsed Python values and leaves as such; time is an argument; remote `@context` documents are
given, never fetched. What a server does with it is the server's affair.
"""
