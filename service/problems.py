"""Refusals and failures as people and programs read them: RFC 9457 problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.model import ModelError
from graph.checkpoints import CheckpointStoreError
from tools.assets import AssetNotFound, AssetStoreUnavailable
from tools.imaging.signing import SigningFailed


class Problem(Exception):
    """A refusal: an HTTP status, a code for programs, a sentence for people, and headers if it needs some."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.title, self.detail, self.errors = status, code, title, detail, errors
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """The body of an `application/problem+json` answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return body | ({"errors": self.errors} if self.errors is not None else {})


def unauthenticated(code: str, detail: str) -> Problem:
    """401: nobody knows who calls."""
    error = "" if code == "login-needed" else ', error="invalid_token"'
    headers = {"WWW-Authenticate": f'Bearer realm="fanfare"{error}'}
    return Problem(401, code, "Not logged in", detail, headers=headers)


def not_found(what: str) -> Problem:
    """404: there is no such thing, or it is somebody else's."""
    return Problem(404, "not-found", "Not found", f"There is no {what} here; check the address.")


def conflict(code: str, detail: str) -> Problem:
    """409: the campaign is not in a state for this."""
    return Problem(409, code, "Conflict", detail)


def invalid(detail: str, errors: list[dict[str, Any]]) -> Problem:
    """422: the request is understood and wrong."""
    return Problem(422, "invalid-request", "Invalid request", detail, errors=errors)


def stopped(error: BaseException, step: str | None) -> dict[str, Any]:
    """Why a run stopped, as the campaign's `error`: a problem, with the step that it stopped in."""
    match error:
        case ModelError():
            code, detail = error.code, str(error)
        case CheckpointStoreError():
            code, detail = "checkpoint-store", str(error)
        case SigningFailed():
            code, detail = "signing-failed", str(error)
        case AssetNotFound():
            code, detail = (
                "asset-missing",
                "The campaign's photo, logo or font is no longer stored; upload it again and retry.",
            )
        case AssetStoreUnavailable():
            code, detail = "asset-store", str(error)
        case _:
            code = "internal-error"
            detail = f"The step failed unexpectedly ({type(error).__name__}); the log has the details."
    return {**Problem(500, code, "The campaign stopped", detail).as_json(), "step": step}


def sentence(errors: Sequence[Mapping[str, Any]]) -> str:
    """The first of Pydantic's `errors` as a sentence."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"]) or "the body"
    more = f" ({len(errors) - 1} more below)" if len(errors) > 1 else ""
    return f"{where}: {str(first['msg']).removeprefix('Value error, ').rstrip('.')}{more}."
