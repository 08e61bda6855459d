"""Subscriptions and their notifications: nothing lost, in order, and a bad subscriber harms nobody but itself.

registry.py     the subscriptions in memory, found by type, id and attribute
matching.py     whether a change concerns a subscription
notifier.py     the consumer of the change log: matches, renders, journals, hands to the senders
journal.py      what is to be sent, in MongoDB, before anyone tries to send it; the dead letters
outbox.py       one per subscription: its notifications in order, throttled, retried with back-off
senders/        how a notification travels: HTTP, MQTT
deliveries.py   what became of it: timesSent, lastFailure … of each subscription
"""
