"""Who calls, for which tenant, and what their roles let them do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from service.problems import Problem

Role = Literal["viewer", "editor", "approver", "admin"]
Permission = Literal["read", "write", "decide", "manage"]

PERMISSIONS: Final[dict[Permission, str]] = {
    "read": "See campaigns, their content, pictures and events.",
    "write": "Create, cancel and retry campaigns; upload pictures.",
    "decide": "Approve, edit, reject and send back at a gate.",
    "manage": "Erase, export, and manage keys, links and webhooks.",
}
GRANTS: Final[dict[Role, frozenset[Permission]]] = {
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "write"}),
    "approver": frozenset({"read", "decide"}),
    "admin": frozenset({"read", "write", "decide", "manage"}),
}
TENANT: Final = "default"
"""Whose everything is while no login is configured."""
TENANT_PATTERN: Final = r"[A-Za-z0-9_-]{1,64}"
"""What a tenant may be called: its name is part of keys and of folders."""


@dataclass(frozen=True)
class Caller:
    """Somebody with a way in: `subject` names a person, a key or a link within the tenant.

    A link's guest gives a `name`, and has a `sponsor`: whoever made the link.
    """

    tenant: str
    subject: str
    roles: frozenset[Role]
    name: str | None = None
    sponsor: str | None = None

    @property
    def signature(self) -> str:
        """As histories call them."""
        return f"{self.subject} ({self.name})" if self.name else self.subject

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles grants it."""
        return any(permission in GRANTS[role] for role in self.roles)

    def require(self, permission: Permission) -> None:
        """Raise a 403 problem unless one of the roles grants it."""
        if not self.may(permission):
            needed = ", ".join(role for role, granted in GRANTS.items() if permission in granted)
            detail = f"This needs a role that may {permission} ({needed}); yours do not. Ask an admin for one."
            raise Problem(403, "forbidden", "Forbidden", detail)


ROLES: Final[tuple[Role, ...]] = tuple(GRANTS)


def known(roles: Iterable[object]) -> frozenset[Role]:
    """Those of `roles` that there are; what else a login server calls a role grants nothing."""
    named = frozenset(role for role in roles if isinstance(role, str))
    return frozenset(role for role in ROLES if role in named)


LOCAL: Final = Caller(TENANT, "local", frozenset({"admin"}))
"""Whoever sits at this machine, while no login is configured."""
