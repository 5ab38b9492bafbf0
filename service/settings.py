"""Every setting, in one frozen class; the environment is read nowhere else."""

import base64
import json
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from langgraph.checkpoint.serde.base import SerializerProtocol
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agents.offline.cast import AGENTS
from agents.screens import SCORES, SEVERITIES
from graph.checkpoints import KeyRing, encrypted, locate
from service.database import Pool, locate_database
from service.edge.peers import ForwardedBy, Network, Proxies
from service.limits import Limit, LimitName, limits_in
from service.outbound import allowed
from tools import objects

Provider = Literal["rehearsal", "openai"]
ScreenName = Literal["openai", "azure", "none"]
_AGENTS = sorted(AGENTS.values())
_LEAST_SECRET_BYTES = 32
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine."""


class Settings(BaseSettings):
    """What the operator decides; `.env` in the current folder, then the environment, have their say."""

    model_config = SettingsConfigDict(
        env_prefix="FANFARE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True,
        populate_by_name=True, hide_input_in_errors=True,
    )  # fmt: skip

    data_dir: Path = Field(default=Path(".fanfare"), description="Everything that the embedded default writes.")
    redis_url: str | None = Field(
        default=None,
        description="Any Redis >= 6.2 or Valkey with an append-only file; a private server when not set.",
    )
    checkpoint_keys: SecretStr | None = Field(
        default=None,
        description="name:key,name:key, each key 32 bytes in base64: checkpoints are encrypted under the first.",
    )
    field_keys: SecretStr | None = Field(
        default=None,
        description="name:key,name:key as above: what people wrote is encrypted in the database under the first; "
        "fanfare db reseal writes everything anew under it.",
    )
    database_url: str | None = Field(
        default=None,
        description="postgresql://user:password@host/database or sqlite:////folder/file; "
        "SQLite in the data folder when not set.",
    )
    database_replica_url: str | None = Field(
        default=None, description="A copy of that database for lists alone, which may lag behind."
    )
    database_pool_size: int = Field(default=10, gt=0, description="Connections to the database that are kept.")
    database_pool_overflow: int = Field(default=10, ge=0, description="More of them while many are needed.")
    database_pool_timeout_seconds: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="How long a call waits for a free connection."
    )
    database_pool_recycle_seconds: int = Field(
        default=1800, gt=0, description="No connection is used that is older, where a proxy closes old ones."
    )
    database_connect_timeout_seconds: int = Field(
        default=5, ge=2, description="How long connecting to Postgres may take."
    )
    database_statement_timeout_seconds: float = Field(
        default=15.0,
        ge=0.1,
        allow_inf_nan=False,
        description="How long a statement may take, and on SQLite how long it waits for other processes.",
    )
    migrate: Literal["auto", "check"] = Field(
        default="auto",
        description="At the start: auto brings the tables up to date, check refuses when they are not.",
    )
    assets_url: str | None = Field(
        default=None,
        description="Where pictures and packages are kept: file:///absolute/folder, s3://bucket/prefix, "
        "gs://bucket/prefix or az://container/prefix; the data folder when not set.",
    )
    aws_endpoint_url: str | None = Field(
        default=None,
        validation_alias="AWS_ENDPOINT_URL",
        description="The server of s3://, if it is not Amazon's.",
    )
    retention_days: float | None = Field(
        default=None,
        gt=0,
        le=36_500,
        description="Ended campaigns are erased after so many days.",
    )
    audit_days: float = Field(
        default=1096, gt=0, le=36_500, description="How long the audit log is kept, which names nobody."
    )
    assets_grace_seconds: float = Field(
        default=86_400,
        gt=0,
        allow_inf_nan=False,
        description="How long bytes are kept that no campaign needs, before a sweep forgets them.",
    )
    url_signing_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs the addresses of pictures, and makes the pseudonyms of the audit log: with another "
        "key its earlier entries are not found. One for all processes, or made in the data folder.",
    )
    url_seconds: float = Field(
        default=3600, ge=60, le=604_800, description="How long the signed address of a picture holds."
    )
    model_provider: Provider | None = Field(
        default=None, description="rehearsal, or openai for any compatible server; openai once a key is set."
    )
    model: str = Field(default="gpt-6-luna", description="The model of every agent that has none of its own.")
    agent_models: Annotated[dict[str, str], NoDecode] = Field(
        default={}, description='A JSON object of models by agent, as in {"moderator": "gpt-5-nano"}.'
    )
    model_max_output_tokens: int | None = Field(
        default=None, gt=0, description="No answer is longer, reasoning counted; the server's limit when not set."
    )
    model_timeout_seconds: float = Field(
        default=60.0, gt=0, allow_inf_nan=False, description="No model call takes longer."
    )
    model_patience_seconds: float = Field(
        default=180.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a call is tried again while the model server is away.",
    )
    model_connections: int = Field(default=1000, gt=0, description="Model calls in flight at once.")
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    fallback_model: str | None = Field(
        default=None, description="A model to ask while the first one's server is away or its credit is spent."
    )
    fallback_base_url: str | None = Field(default=None, description="Its server, if that is another.")
    fallback_api_key: SecretStr | None = Field(default=None, description="Its key, if that is another.")
    tenant_day_usd: Decimal | None = Field(
        default=None, gt=0, description="What a tenant's model calls may cost on one day (UTC), in US dollars."
    )
    answers_seconds: float = Field(
        default=86_400,
        gt=0,
        allow_inf_nan=False,
        description="How long a model's answer is kept, and not paid for again.",
    )
    screen: ScreenName = Field(
        default="openai",
        description="The moderation endpoint: openai is the model server's own, or azure, or none.",
    )
    screen_warn: float = Field(
        default=SCORES.warn, gt=0, le=1, description="openai: a score at or above this warns."
    )
    screen_block: float = Field(
        default=SCORES.block,
        gt=0,
        le=1,
        description="openai: a score at or above this blocks, as does whatever the provider flags.",
    )
    azure_content_safety_endpoint: str | None = Field(
        default=None, description="azure: https://NAME.cognitiveservices.azure.com, the resource's address."
    )
    azure_content_safety_key: SecretStr | None = Field(default=None, description="azure: the resource's key.")
    azure_warn_above: int = Field(
        default=int(SEVERITIES.warn), ge=0, le=6, description="azure: a severity (0, 2, 4, 6) above this warns."
    )
    azure_block_above: int = Field(
        default=int(SEVERITIES.block),
        ge=0,
        le=6,
        description="azure: a severity above this blocks; 6 blocks nothing.",
    )
    c2pa_certificate: Path | None = Field(
        default=None,
        description="A certificate chain in PEM, the signer's first: finished pictures are signed by it.",
    )
    c2pa_key: Path | None = Field(default=None, description="Its private key in PEM, without a password.")
    max_running: int = Field(default=64, gt=0, description="Campaigns that run at once in this process.")
    upload_max_bytes: int = Field(default=20_000_000, gt=0, description="The largest photo taken.")
    body_pause_seconds: float = Field(
        default=20.0, gt=0, allow_inf_nan=False, description="No body may pause longer while it comes in."
    )
    body_seconds: float = Field(
        default=300.0, gt=0, allow_inf_nan=False, description="No body may take longer to come in."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="Networks of our own proxies, whose word on callers counts: 10.0.0.0/8,::1/128."
    )
    forwarded_by: ForwardedBy = Field(
        default="x-forwarded",
        description="What the proxies set: x-forwarded for X-Forwarded-For, -Proto and -Host, or forwarded.",
    )
    limit_address: str = Field(
        default="1200/minute", description="Calls from one address, or one IPv6 /64; off is no limit."
    )
    limit_caller: str = Field(default="1200/minute", description="Calls of one person or key.")
    limit_tenant: str = Field(default="6000/minute", description="Calls of all of a tenant's people and keys.")
    limit_create: str = Field(default="120/minute", description="Campaigns that one person or key creates.")
    tenant_day_campaigns: int | None = Field(
        default=None, gt=0, description="Campaigns that a tenant creates on one day (UTC)."
    )
    tenant_storage_bytes: int | None = Field(
        default=None, gt=0, description="What a tenant may keep in pictures and packages, in bytes."
    )
    stop_seconds: float = Field(
        default=10.0, ge=0, description="How long a stopping process waits for steps that are under way."
    )
    webhook_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts and networks, with commas, that webhooks may go to though they are private."
    )
    webhook_ports: Annotated[tuple[Annotated[int, Field(gt=0, le=65535)], ...], NoDecode] = Field(
        default=(443, 8443), min_length=1, description="Ports, with commas, that webhooks may go to."
    )
    webhook_http: bool = Field(default=False, description="Whether webhooks may go to http:// as well.")
    webhook_timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long a receiver has to answer, from the first look-up on."
    )
    webhook_attempts: int = Field(default=10, gt=0, description="How often an event is sent that does not arrive.")
    webhook_retry_seconds: float = Field(
        default=5.0, gt=0, le=3600, description="The pause after the first attempt; each is five times the last."
    )
    webhook_keep_days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="How long deliveries are listed after they arrived or were given up.",
    )
    auth: Literal["none", "required"] = Field(
        default="none",
        description="required: callers need an API key or a token; none: this machine only, and anybody on it.",
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="The login server's public keys: tokens are signed by RS256 or ES256."
    )
    jwt_secret: SecretStr | None = Field(
        default=None, description="Instead, a secret of 32 bytes or more shared with it: HS256."
    )
    jwt_issuer: str | None = Field(default=None, description="Whom tokens must be from (iss).")
    jwt_audience: str | None = Field(default=None, description="Whom tokens must be for (aud).")
    jwt_tenant_claim: str = Field(default="tenant", min_length=1, description="Where a token names the tenant.")
    jwt_roles_claim: str = Field(
        default="roles", min_length=1, description="Where it lists roles; realm_access.roles reaches deeper."
    )
    jwt_leeway_seconds: float = Field(
        default=30.0, ge=0, le=300, description="How far the login server's clock may be from ours."
    )
    session_seconds: float = Field(
        default=12 * 3600.0, ge=60, le=30 * 86_400, description="How long a browser stays logged in."
    )
    public_url: str | None = Field(
        default=None, description="https://fanfare.example: what links start with, seen from outside."
    )
    allowed_hosts: str | None = Field(
        default=None,
        description="host,host: with a login, the names that the service answers to; any when not set.",
    )
    public_docs: bool = Field(default=True, description="Whether /docs and /openapi.json need no login.")
    metrics_token: SecretStr | None = Field(
        default=None, min_length=16, description="With a login, what GET /metrics takes as a bearer token."
    )
    four_eyes: bool = Field(
        default=False, description="Whoever has edited a campaign may not approve it; needs a login."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    langsmith_tracing: bool = Field(default=False, validation_alias="LANGSMITH_TRACING")
    langsmith_api_key: SecretStr | None = Field(default=None, validation_alias="LANGSMITH_API_KEY")
    langsmith_endpoint: str = Field(
        default="https://api.smith.langchain.com", validation_alias="LANGSMITH_ENDPOINT"
    )
    langsmith_project: str = Field(default="fanfare", validation_alias="LANGSMITH_PROJECT")

    @field_validator("assets_url")
    @classmethod
    def _is_a_place(cls, url: str | None) -> str | None:
        if url is None or url.startswith("file:///"):
            return url
        parts = urlsplit(url)
        if parts.scheme not in objects.SCHEMES or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "it must be file:///absolute/folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
            )
        if needed := objects.missing():
            raise ValueError(needed)
        return url

    @field_validator("azure_content_safety_endpoint")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not (url.startswith(("https://", "http://")) and urlsplit(url).hostname):
            raise ValueError("it must be an address as in https://NAME.cognitiveservices.azure.com")
        return url

    @model_validator(mode="after")
    def _screen_is_whole(self) -> Self:
        if self.screen_warn > self.screen_block:
            raise ValueError("FANFARE_SCREEN_WARN must not be above FANFARE_SCREEN_BLOCK")
        if self.azure_warn_above > self.azure_block_above:
            raise ValueError("FANFARE_AZURE_WARN_ABOVE must not be above FANFARE_AZURE_BLOCK_ABOVE")
        if self.screen == "azure" and not (self.azure_content_safety_endpoint and self.azure_content_safety_key):
            needed = "FANFARE_AZURE_CONTENT_SAFETY_ENDPOINT and FANFARE_AZURE_CONTENT_SAFETY_KEY"
            raise ValueError(f"FANFARE_SCREEN=azure needs {needed}")
        return self

    @model_validator(mode="after")
    def _signs_or_not(self) -> Self:
        if (self.c2pa_certificate is None) != (self.c2pa_key is None):
            raise ValueError("FANFARE_C2PA_CERTIFICATE and FANFARE_C2PA_KEY go together; one is missing")
        return self

    @field_validator("webhook_allow", "webhook_ports", mode="before")
    @classmethod
    def _are_listed(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("webhook_allow")
    @classmethod
    def _are_places(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        allowed(places)
        return places

    @field_validator("jwt_jwks_url", "public_url")
    @classmethod
    def _is_encrypted(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment:
                raise ValueError("it must be an address as in https://login.example/keys")
            if parts.scheme == "http" and parts.hostname not in LOOPBACK:
                raise ValueError("it must be https:// for any host but this machine")
        return url

    @field_validator("jwt_secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < _LEAST_SECRET_BYTES:
            raise ValueError("it must have 32 bytes or more; make one with: openssl rand -base64 48")
        if secret is not None and "-----BEGIN" in secret.get_secret_value():
            raise ValueError("it is a public key, which everybody knows; use FANFARE_JWT_JWKS_URL for those")
        return secret

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        named = (self.jwt_jwks_url, self.jwt_secret)
        if any(named) or self.jwt_issuer or self.jwt_audience:
            if all(named) or not any(named):
                raise ValueError("tokens need FANFARE_JWT_JWKS_URL or FANFARE_JWT_SECRET, one of the two")
            if not (self.jwt_issuer and self.jwt_audience):
                raise ValueError("tokens need FANFARE_JWT_ISSUER and FANFARE_JWT_AUDIENCE as well")
            if self.auth != "required":
                raise ValueError(
                    "FANFARE_JWT_ settings are there, and nobody asks for tokens: FANFARE_AUTH=required"
                )
        if self.four_eyes and self.auth != "required":
            raise ValueError("FANFARE_FOUR_EYES=true needs to know who is who: FANFARE_AUTH=required")
        return self

    @field_validator("agent_models", mode="before")
    @classmethod
    def _are_models_by_agent(cls, models: object) -> dict[str, str]:
        found = _object(models)
        for agent, model in found.items():
            if agent not in _AGENTS:
                raise ValueError(f"there is no agent {agent!r}; there are {', '.join(_AGENTS)}")
            if not isinstance(model, str) or not model.strip():
                raise ValueError(f"the model of {agent} must be a name")
        return cast("dict[str, str]", found)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        try:
            return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
        except ValueError as error:
            raise ValueError(f"{error}; write networks as in 10.0.0.0/8,192.168.7.4") from None

    @field_validator("limit_address", "limit_caller", "limit_tenant", "limit_create")
    @classmethod
    def _are_limits(cls, text: str) -> str:
        try:
            limits_in(text)
        except ValueError as error:
            raise ValueError(f"{error}; write limits as in 600/minute or 10/second; 5000/day") from None
        return text

    @field_validator("redis_url")
    @classmethod
    def _is_a_server(cls, url: str | None) -> str | None:
        if url is not None:
            locate(url)
        return url

    @field_validator("database_url", "database_replica_url")
    @classmethod
    def _is_a_database(cls, url: str | None) -> str | None:
        if url is not None:
            locate_database(url)
        return url

    @model_validator(mode="after")
    def _replica_copies_something(self) -> Self:
        if self.database_replica_url and not self.database_url:
            raise ValueError("FANFARE_DATABASE_REPLICA_URL is a copy of FANFARE_DATABASE_URL, which is not set")
        return self

    @field_validator("checkpoint_keys", "field_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            KeyRing(_named_keys(keys))
        return keys

    @property
    def hosts(self) -> frozenset[str] | None:
        """The names that the service answers to, in lower case, or None for any; this machine's are among them."""
        if self.auth == "none":
            return LOOPBACK
        named = (self.allowed_hosts or "").lower().replace(",", " ").split()
        return LOOPBACK.union(named) if named else None

    @property
    def serializer(self) -> SerializerProtocol | None:
        """What writes checkpoints: None for LangGraph's own, or one that encrypts."""
        return encrypted(_named_keys(self.checkpoint_keys)) if self.checkpoint_keys else None

    @property
    def field_ring(self) -> KeyRing | None:
        """What encrypts fields of the database, or None."""
        return KeyRing(_named_keys(self.field_keys)) if self.field_keys else None

    @property
    def records_url(self) -> str:
        """The database in force."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'fanfare.db'}"

    @property
    def pool(self) -> Pool:
        """What each engine of the database is held to."""
        return Pool(
            size=self.database_pool_size,
            overflow=self.database_pool_overflow,
            timeout_seconds=self.database_pool_timeout_seconds,
            recycle_seconds=self.database_pool_recycle_seconds,
            connect_seconds=self.database_connect_timeout_seconds,
            statement_seconds=self.database_statement_timeout_seconds,
        )

    @property
    def proxies(self) -> Proxies:
        """Whose word on callers counts."""
        return Proxies(self.trusted_proxies, self.forwarded_by)

    @property
    def limits(self) -> dict[LimitName, Limit]:
        """The limits in force; one that nobody set leaves alone who calls from this machine."""
        texts: dict[LimitName, str] = {
            "address": self.limit_address,
            "caller": self.limit_caller,
            "tenant": self.limit_tenant,
            "create": self.limit_create,
        }
        unset = {name for name in texts if f"limit_{name}" not in self.model_fields_set}
        return {name: Limit(limits_in(text), name in unset) for name, text in texts.items()}

    @property
    def provider(self) -> Provider:
        """The provider in force."""
        return self.model_provider or ("openai" if self.openai_api_key else "rehearsal")


def _object(value: object) -> dict[str, object]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError('it must be a JSON object, as in {"moderator": "gpt-5-nano"}')  # noqa: TRY004 - pydantic's
    return cast("dict[str, object]", found)


def _named_keys(text: SecretStr) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for each in text.get_secret_value().split(","):
        name, _, key = each.strip().partition(":")
        if not key:
            raise ValueError("each key is written as name:key, and one has no name")
        try:
            keys[name] = base64.b64decode(key, validate=True)
        except ValueError:
            raise ValueError(f"key {name!r} is not base64; make one with: openssl rand -base64 32") from None
    return keys
