"""Review links: one gate of one campaign, for somebody without an account, until they expire or are revoked."""

from collections.abc import Sequence

from sqlalchemy import select, update

from graph.state import Gate
from service.database import Database
from service.identity import Caller, Role
from service.problems import Problem
from service.secret import matches, new_secret
from service.tables import Campaign, ReviewLink, is_id, later, new_id, now


class Links:
    """The links to every tenant's campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, campaign: Campaign, gate: Gate, *, name: str | None, by: str, seconds: float
    ) -> tuple[ReviewLink, str]:
        """A new link that lasts `seconds`, and its secret, which is shown this once."""
        secret, kept = new_secret()
        row = ReviewLink(
            id=new_id(), tenant=campaign.tenant, campaign_id=campaign.id, gate=gate, name=name, secret_sha256=kept,
            created_by=by, created_at=now(), expires_at=later(seconds),
        )  # fmt: skip
        async with self._database.writing() as session:
            session.add(row)
        return row, secret

    async def get(self, link_id: str) -> ReviewLink | None:
        """The link with this id, alive or not."""
        if not is_id(link_id):
            return None
        async with self._database.reading() as session:
            return await session.get(ReviewLink, link_id)

    async def known(self, link_id: str, secret: str) -> ReviewLink | None:
        """The link, alive or not, if `secret` is its own; a wrong id takes as long as a wrong secret."""
        row = await self.get(link_id)
        return row if matches(secret, row.secret_sha256 if row else None) else None

    async def page(self, campaign: Campaign, *, before: str | None, limit: int) -> Sequence[ReviewLink]:
        """The campaign's links, newest first, older than the one with the id `before`."""
        rows = select(ReviewLink).where(ReviewLink.campaign_id == campaign.id).order_by(ReviewLink.id.desc())
        if before is not None:
            rows = rows.where(ReviewLink.id < before)
        async with self._database.reading() as session:
            return (await session.scalars(rows.limit(limit))).all()

    async def revoke(self, campaign: Campaign, link_id: str) -> bool:
        """End a link for good; whether the campaign has such a link."""
        row = await self.get(link_id)
        if row is None or row.campaign_id != campaign.id:
            return False
        await self._set(link_id, revoked_at=now())
        return True

    async def opened(self, link: ReviewLink) -> None:
        """Remember when the link was opened first."""
        await self._set(link.id, opened_at=now())

    async def _set(self, link_id: str, **values: str) -> None:
        """Write what is not written yet."""
        unset = [getattr(ReviewLink, name).is_(None) for name in values]
        async with self._database.writing() as session:
            await session.execute(update(ReviewLink).where(ReviewLink.id == link_id, *unset).values(**values))


def require_alive(link: ReviewLink) -> None:
    """Raise a 410 problem for a link that opens nothing any more."""
    if link.revoked_at is not None:
        detail = "This link was withdrawn. Ask whoever sent it to you for another."
        raise Problem(410, "link-revoked", "Link withdrawn", detail)
    if link.expires_at <= now():
        detail = f"This link expired on {link.expires_at[:10]}. Ask whoever sent it to you for another."
        raise Problem(410, "link-expired", "Link expired", detail)


def guest(link: ReviewLink, name: str) -> Caller:
    """Whoever decides by the link, and calls themselves `name`."""
    return Caller(
        link.tenant, f"link:{link.id}", frozenset[Role]({"approver"}), name=name, sponsor=link.created_by
    )
