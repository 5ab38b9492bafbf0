"""Who calls, for which tenant, and what their roles let them do."""

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


@dataclass(frozen=True)
class Caller:
    """Somebody with a way in: `subject` names a person or a key within the tenant."""

    tenant: str
    subject: str
    roles: frozenset[Role]

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles grants it."""
        return any(permission in GRANTS[role] for role in self.roles)

    def require(self, permission: Permission) -> None:
        """Raise a 403 problem unless one of the roles grants it."""
        if not self.may(permission):
            needed = ", ".join(role for role, granted in GRANTS.items() if permission in granted)
            detail = f"This needs a role that may {permission} ({needed}); yours do not. Ask an admin for one."
            raise Problem(403, "forbidden", "Forbidden", detail)


LOCAL: Final = Caller(TENANT, "local", frozenset({"admin"}))
"""Whoever sits at this machine, while no login is configured."""
