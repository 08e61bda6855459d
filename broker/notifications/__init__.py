"""Subscriptions and their notifications: nothing lost, in order, and a bad subscriber harms nobody but itself.

notifier.py      the consumer of the change log: matches, renders, journals, hands to the outboxes
registry.py      the subscriptions in memory, found by type, id and attribute
loading.py       subscriptions and registrations as they were at a position of the log
matching.py      whether a change concerns a subscription
registrations.py subscriptions to context source registrations: whom a change of one concerns, what it is told
naming.py        the @contexts that notifications are written with
data.py          what a notification shows of entities
periodic.py      subscriptions with timeInterval
journal.py       what is to be sent, in MongoDB, before anyone tries to send it; the dead letters
outbox.py        one per subscription: its notifications in order, throttled, retried with back-off
post_office.py   all outboxes, and the limits per endpoint
message.py       a notification as it leaves: body and headers
senders/         how it travels: HTTP, MQTT
endpoints.py     where it may go
events.py        what was notified of late, kept for streams
streams.py       following a subscription as a stream of events, in any process
deliveries.py    what became of it: timesSent, lastFailure … of each subscription
commands.py      what an operator may do: backlog, replay, drop
metrics.py       what Prometheus is told
"""
