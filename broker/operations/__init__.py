"""What the broker does, operation by operation (GS CIM 009 v1.9.1, clauses 5.6 to 5.16), free of HTTP.

An operation takes what a request asked for, already expanded and checked, calls the store once, and returns what
the answer needs. It raises `NgsiLdError`.
"""
