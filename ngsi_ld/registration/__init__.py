"""Context source registrations (5.2.9, 4.3.6, 5.12): what a source has, and which sources an operation concerns.

registration.py   a registration: its members as stored, and what they mean
members.py        each member with what reads it; changes.py: made, restored, updated; rendering.py: as JSON
operations.py     what a source can be registered for
matching.py       which registrations an operation concerns; conditions.py: by place, time, scope, properties
index.py          the registrations of a tenant, found by what is wanted
conflicts.py      what a proxied registration must not overlap with
subscribing.py    what a change of a registration is to a subscription to registrations
distribution.py   how a write is divided; narrowing.py, writing.py, reduction.py: what a source is asked, told, given
"""
