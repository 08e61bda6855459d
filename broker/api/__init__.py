"""The NGSI-LD API over HTTP (GS CIM 009 v1.9.1, clause 6): requests in, operations called, answers out.

One bare ASGI application serves every resource below `/ngsi-ld/v1`. What it serves is data: `routes.RESOURCES` has
the resources and their methods, `parameters.PARAMETERS` the query parameters, and the OpenAPI document is made from
them.
"""
