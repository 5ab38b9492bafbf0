"""The API's reference as a page of our own, made from its OpenAPI: no script, no other host, no network."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, cast

from fastapi import FastAPI, Request, Response

from service.console.pages import page

_METHODS = ("get", "post", "put", "patch", "delete")
_BOUNDS = {
    "minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below",
    "minLength": "at least", "maxLength": "at most", "minItems": "at least", "maxItems": "at most",
    "pattern": "as in", "default": "default",
}  # fmt: skip


class Word(NamedTuple):
    """A part of a type, and the schema that it names, if it names one."""

    text: str
    schema: str | None = None


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of an object."""

    name: str
    where: str
    required: bool
    type: list[Word]
    says: str


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    says: str
    parameters: list[Field]
    bodies: list[tuple[str, list[Word]]]
    answers: list[tuple[str, str, list[Word]]]


def shown(request: Request) -> Response:
    """Every call, with what it takes and answers."""
    operations, schemas = _read(cast("FastAPI", request.app))
    return page(request, "reference.html", operations=operations, schemas=schemas)


def _read(app: FastAPI) -> tuple[list[tuple[str, list[Operation]]], list[tuple[str, str, list[Field]]]]:
    """The operations by tag, and every schema with its fields."""
    told = app.openapi()
    calls = [
        (next(iter(said.get("tags", [])), "other"), _operation(method, path, said))
        for path, methods in told["paths"].items()
        for method, said in methods.items()
        if method in _METHODS
    ]
    groups = groupby(sorted(calls, key=lambda call: call[0]), key=lambda call: call[0])
    schemas = told["components"]["schemas"].items()
    return (
        [(tag, [operation for _, operation in group]) for tag, group in groups],
        [(name, schema.get("description", ""), list(_fields(schema))) for name, schema in sorted(schemas)],
    )


def _operation(method: str, path: str, said: Mapping[str, Any]) -> Operation:
    return Operation(
        method.upper(),
        path,
        said.get("description", said.get("summary", "")),
        [_parameter(each) for each in said.get("parameters", [])],
        list(_contents(said.get("requestBody", {}))),
        [
            (status, answer["description"], [word for _, words in _contents(answer) for word in words])
            for status, answer in sorted(said["responses"].items())
        ],
    )


def _parameter(said: Mapping[str, Any]) -> Field:
    schema = said["schema"]
    return Field(said["name"], said["in"], said.get("required", False), _type(schema), _says(schema))


def _contents(said: Mapping[str, Any]) -> Iterator[tuple[str, list[Word]]]:
    for media_type, content in said.get("content", {}).items():
        if "schema" in content:
            yield media_type, _type(content["schema"])


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    for name, said in schema.get("properties", {}).items():
        yield Field(name, "", name in schema.get("required", ()), _type(said), _says(said))


def _says(schema: Mapping[str, Any]) -> str:
    known = [schema, *schema.get("anyOf", ())]
    bounds = [
        f"{word} {json.dumps(each[name], ensure_ascii=False) if name == 'default' else each[name]}"
        for name, word in _BOUNDS.items()
        for each in known
        if each.get(name) is not None
    ]
    return " · ".join([*filter(None, [schema.get("description", "")]), *bounds])


def _type(schema: Mapping[str, Any]) -> list[Word]:
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            return [Word(name, name)]
        case {"anyOf": kinds} | {"oneOf": kinds}:
            return _joined(_type(kind) for kind in kinds)
        case {"allOf": kinds}:
            return _joined((_type(kind) for kind in kinds), with_=" with ")
        case {"enum": values}:
            return [Word(" | ".join(json.dumps(value) for value in values))]
        case {"const": value}:
            return [Word(json.dumps(value))]
        case {"type": "array", "items": items}:
            return [Word("list of "), *_type(items)]
        case {"type": "object", "additionalProperties": dict()}:
            return [Word("object of "), *_type(schema["additionalProperties"])]
        case {"type": "object", "properties": dict()}:
            parts = schema["properties"].items()
            return _joined(([Word(f"{name}: "), *_type(kind)] for name, kind in parts), with_="; ")
        case {"type": str(kind)}:
            return [Word(schema.get("format", kind))]
        case _:
            return [Word("any")]


def _joined(kinds: Iterable[list[Word]], *, with_: str = " | ") -> list[Word]:
    return [word for kind in kinds for word in (Word(with_), *kind)][1:]
