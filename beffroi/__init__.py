"""The `beffroi` command and the demonstration: the only place that knows both the broker and the adapters."""
