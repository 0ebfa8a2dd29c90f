"""The admin API's reference, made of its OpenAPI document when the documentation is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sphinx.util.docutils import SphinxDirective
from tables import table

from nimble_stop.local.admin.openapi import openapi_document
from nimble_stop.local.admin.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_METHODS: Final = ("get", "post", "put", "delete")
# One kind of fault has the arguments of all others in it; the page on faults describes them.
_SCHEMAS: Final = ("Session", "NewSession", "FaultInForce", "Request", "Clock", "State", "Health")


def reference() -> str:
    """Write a section for each path, and one for each object."""
    document = openapi_document(ROUTES)
    return "\n".join([*_paths(document), *_schemas(document)])


def _paths(document: dict[str, Any]) -> Iterator[str]:
    yield "## Paths\n"
    for path, item in document["paths"].items():
        yield f"### {path}\n"
        for method in _METHODS:
            if method in item:
                yield from _operation(method.upper(), path, item[method])


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    public = " No token is needed." if operation.get("security") == [] else ""
    yield f"**{method} {_escaped(path)}**: {operation['summary']}.{public}\n"
    if "description" in operation:
        yield f"{operation['description']}\n"
    parameters = operation.get("parameters", ())
    if parameters:
        rows = [
            (f"`{parameter['name']}`", f"{parameter['description']} In the {parameter['in']}.")
            for parameter in parameters
        ]
        yield table(("Parameter", "Meaning"), rows)
    if "requestBody" in operation:
        yield f"Body: {_type(_schema_of(operation['requestBody']))}.\n"
    yield f"Answers: {', '.join(_answers(operation['responses']))}.\n"


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    errors: list[str] = []
    for status, response in responses.items():
        if int(status) >= 400:  # noqa: PLR2004  # HTTP's errors begin here
            errors.append(status)
        elif "content" in response:
            yield f"{status} {_type(_schema_of(response))}"
        else:
            yield f"{status} without a body"
    yield f"errors {', '.join(errors)}"


def _schema_of(content: dict[str, Any]) -> dict[str, Any]:
    ((media_type, described),) = content["content"].items()
    schema: dict[str, Any] = described["schema"]
    return schema if media_type == "application/json" else {"type": f"`{media_type}`"}


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    yield "## Objects\n"
    schemas = document["components"]["schemas"]
    for name in _SCHEMAS:
        yield f"### {name}\n"
        schema = schemas[name]
        if "oneOf" in schema:
            schema = _common(schema["oneOf"])
        yield _members(schema, "required" if name.startswith("New") else "always there")


def _common(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Describe the members that several objects share."""
    first, *others = schemas
    shared = {
        name: member
        for name, member in first["properties"].items()
        if all(name in other["properties"] for other in others)
    }
    shared["fault"] = {"type": "string", "description": "The kind of fault; its arguments follow."}
    return {
        "properties": shared,
        "required": [name for name in first["required"] if name in shared],
    }


def _members(schema: dict[str, Any], needed: str) -> str:
    # Two columns: a narrow screen shows them whole.
    rows = [
        (
            f"`{name}`",
            f"{_meaning(member)} {_form(member, needed if name in schema['required'] else '')}",
        )
        for name, member in schema["properties"].items()
    ]
    return table(("Member", "Meaning"), rows)


def _form(member: dict[str, Any], needed: str) -> str:
    kind = ", ".join(filter(None, (_type(member), needed)))
    return f"{kind[0].upper()}{kind[1:]}."


def _meaning(member: dict[str, Any]) -> str:
    values = [f"`{value}`" for value in member.get("enum") or member.get("examples", ())]
    shown = f" One of {', '.join(values)}." if values else ""
    return f"{member.get('description', '')}{shown}".strip()


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name in _SCHEMAS else f"[{name}](faults.md)"
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(_type(option) for option in schema[key])
    kind = schema["type"]
    if kind == "array":
        return f"a list of {_type(schema['items'])}"
    if kind == "object":
        members = [f"`{name}`: {_type(of)}" for name, of in schema.get("properties", {}).items()]
        return f"object ({', '.join(members)})" if members else "object"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _escaped(path: str) -> str:
    return path.replace("_", "\\_")


class AdminApi(SphinxDirective):
    """The whole reference."""

    def run(self) -> list[nodes.Node]:
        """Put the reference in the directive's place."""
        return self.parse_text_to_nodes(reference(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directive known."""
    app.add_directive("admin-api", AdminApi)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
