"""Every setting of the broker, its default and its meaning; each is also `BEFFROI_…` in the environment."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker.history.retention import parse_retention


class Settings(BaseSettings):
    """The broker's settings; the command line overrides the environment, which overrides these defaults."""

    model_config = SettingsConfigDict(env_prefix="BEFFROI_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(1026, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve the API.")
    public_url: str = Field("", description="URL by which others reach this broker; http://HOST:PORT if empty.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")

    mongo_uri: str = Field("", description="MongoDB replica set to use; if empty, a private mongod is started.")
    data_dir: Path = Field(Path("data"), description="Where the private mongod keeps its data.")

    write_timeout: float = Field(5.0, gt=0, description="Seconds after which MongoDB counts as away for a write.")
    query_timeout: float = Field(10.0, gt=0, description="Seconds that a query may take.")
    indexes: int = Field(40, ge=0, le=60, description="Most indexes of attributes in a tenant; MongoDB allows 64.")
    index_demand: int = Field(50, ge=0, description="Queries by an attribute before it gets an index; 0 never.")
    remembered_bytes: int = Field(32 * 1024 * 1024, ge=0, description="Of entities that a worker remembers.")

    contexts: Path | None = Field(None, description="Directory of preloaded @context documents, with an index.json.")
    default_context: str = Field("", description="URL of the @context for requests that name none, before the core.")
    context_networks: str = Field(
        "", description="Private networks that @contexts may be fetched from, such as 10.0.0.0/8,127.0.0.0/8."
    )
    context_timeout: float = Field(5.0, gt=0, description="Seconds to wait for a remote @context.")

    endpoint_private: bool = Field(
        True, description="Whether notifications may go to private addresses; false where tenants are strangers."
    )
    endpoint_networks: str = Field("", description="Private networks that notifications may go to all the same.")
    endpoint_concurrency: int = Field(32, gt=0, description="Notifications under way to one endpoint at a time.")
    endpoint_timeout: float = Field(
        10.0, gt=0, description="Seconds that an endpoint has if its subscription says none."
    )

    retry_first: float = Field(0.5, gt=0, description="Seconds until a failed notification is tried again.")
    retry_longest: float = Field(60.0, gt=0, description="Seconds between tries at most; each waits twice as long.")
    backlog_age: float = Field(86400.0, gt=0, description="Seconds after which a notification is given up.")
    backlog_size: int = Field(100_000, gt=0, description="Notifications that may wait for one subscription.")
    backlog_memory: int = Field(200, gt=0, description="Of these, how many are kept in memory.")
    events_age: float = Field(3600.0, gt=0, description="Seconds for which events of followed subscriptions stay.")
    events_size: int = Field(10_000, gt=0, description="Events that are kept of one subscription.")
    events_streams: int = Field(1000, ge=0, description="Streams of events that a worker may have.")
    events_heartbeat: float = Field(15.0, gt=0, description="Seconds after which an idle stream of events says so.")
    events_patience: float = Field(30.0, gt=0, description="Seconds until a client that takes no events is dropped.")
    lease: float = Field(3.0, ge=0.5, description="Seconds of silence until another process follows the change log.")

    federation_timeout: float = Field(
        5.0, gt=0, description="Seconds that a context source has to answer if its registration says none."
    )
    federation_connections: int = Field(32, gt=0, description="Connections to one context source at a time.")
    federation_failures: int = Field(
        3, gt=0, description="Times in a row that a context source does not answer until it is left alone for a while."
    )
    federation_cooldown: float = Field(
        5.0, gt=0, description="Seconds for which it is left alone if its registration says none."
    )
    federation_answer_size: int = Field(
        16 * 1024 * 1024, gt=0, description="Largest answer in bytes that is taken from a context source."
    )
    federation_cache: int = Field(
        32 * 1024 * 1024, ge=0, description="Bytes of answers that a worker keeps for registrations with cacheDuration."
    )
    federation_entities: int = Field(
        10_000, gt=0, description="Most entities that are collected from context sources to answer one request."
    )
    split_entities: bool = Field(
        False,
        description="Whether entities may be in parts at several sources if a query does not say (splitEntities).",
    )

    tenant_creation: bool = Field(True, description="Whether a first write creates its tenant.")
    alias: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Name of this broker among federated ones, other than theirs; if empty, one is drawn and kept.",
    )

    max_body_size: int = Field(16 * 1024 * 1024, gt=0, description="Largest request body in bytes.")
    max_batch_size: int = Field(1000, gt=0, description="Most entities in one batch operation.")
    default_page_size: int = Field(20, gt=0, description="Entities in a page when no limit is given.")
    max_page_size: int = Field(1000, gt=0, description="Largest limit that can be asked for.")
    collation: str = Field(
        "und-x-icu", description="ICU collation that texts are ordered by if a query names none; code points if empty."
    )
    max_join_level: int = Field(10, gt=0, description="Largest joinLevel that can be asked for.")
    max_links: int = Field(5000, gt=0, description="Most links that one request with join may follow.")

    history: bool = Field(True, description="Whether the temporal evolution of every entity is recorded.")
    retention: str = Field(
        "",
        description="How long history is kept, such as P2Y hourly P5Y daily P12Y; type=Camera P30D. For ever if empty.",
    )
    history_timeout: float = Field(15.0, gt=0, description="Seconds that a temporal operation may take.")
    max_temporal_instances: int = Field(
        10_000, gt=0, description="Most instances of one attribute in an answer; beyond, it is partial (206)."
    )
    max_aggregation_periods: int = Field(
        10_000, gt=0, description="Most periods that an aggregation may cut its time range into."
    )

    snapshots: int = Field(20, ge=0, description="Most snapshots of a tenant; 0 for none.")
    snapshot_size: int = Field(100_000, gt=0, description="Most entities in a snapshot.")
    snapshot_lifetime: float = Field(86400.0, gt=0, description="Seconds that a snapshot stays if none are asked for.")
    snapshot_longest: float = Field(30 * 86400.0, gt=0, description="Most seconds that can be asked for a snapshot.")
    snapshot_preparations: int = Field(2, gt=0, description="Snapshots that a worker prepares at a time.")

    entity_maps: int = Field(1000, gt=0, description="Most EntityMaps of a tenant; beyond, the oldest go.")
    entity_map_size: int = Field(500_000, gt=0, description="Most entities in an EntityMap.")
    entity_map_lifetime: float = Field(600.0, gt=0, description="Seconds that an EntityMap stays if none are asked.")
    entity_map_longest: float = Field(86400.0, gt=0, description="Most seconds that can be asked for an EntityMap.")

    cors_origins: str = Field("*", description="Origins that browsers may call from, separated by commas; * for any.")
    gzip_minimum: int = Field(1024, ge=0, description="Answers from this size on are compressed; 0 never.")

    @field_validator("retention")
    @classmethod
    def _retention_has_rules(cls, text: str) -> str:
        parse_retention(text)
        return text

    @property
    def base_url(self) -> str:
        """The URL by which others reach this broker, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
