"""What can go wrong in an adapter, said so that the person who wrote the file or runs the feed can act on it."""


class AdapterError(Exception):
    """An adapter cannot start or go on; the message is one sentence for a person."""


class DefinitionError(AdapterError):
    """An adapter.yaml that is not right: `where` is the file and the path in it, `detail` what would be right."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.where = where
        self.detail = detail


class DecodingError(Exception):
    """A payload that is not in the format the source announces (not JSON, truncated XML …)."""


class MappingError(Exception):
    """A record that cannot be mapped: the entity template, the attribute and the expression at fault."""

    def __init__(self, detail: str, *, entity: str = "", attribute: str = "", expression: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.entity = entity
        self.attribute = attribute
        self.expression = expression

    def __str__(self) -> str:
        place = ".".join(part for part in ("entities", self.entity, self.attribute) if part)
        expression = f" ({self.expression})" if self.expression else ""
        return f"{place}{expression}: {self.detail}"
