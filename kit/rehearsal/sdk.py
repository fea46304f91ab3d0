"""Google's APIs as the installed Google Cloud SDK itself knows them: methods, parameters, messages, fields.

Read from the source of its generated clients, so that neither its Python nor its packages are needed: a field
that those messages do not have is one that Google does not have, or that this gcloud could not have sent.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kit.errors import Code, KitError

_INSTALL = "Install the Google Cloud CLI as its documentation says: https://cloud.google.com/sdk/docs/install"
_API_AND_VERSION = re.compile(r"/(v\d+(?:alpha|beta)?\d*)(?:/|$)")
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "StringField": str,
    "DateTimeField": str,
    "BooleanField": bool,
    "IntegerField": (int, str),  # 64-bit integers travel as strings
    "FloatField": (int, float, str),
}
# Parameters of every method: https://cloud.google.com/apis/docs/system-parameters
_SYSTEM = "StandardQueryParameters"


@dataclass(frozen=True)
class Field:
    """One field of a message: its kind as in the generated source, and the message or enum it holds."""

    kind: str
    type: str | None
    repeated: bool


@dataclass(frozen=True)
class Message:
    """One message or enum, by its JSON names. `others`: what a map's values are, else None."""

    fields: Mapping[str, Field]
    values: frozenset[str]
    others: Field | None


@dataclass(frozen=True)
class Method:
    """One method of an API. `body` and `response` name messages; None for no body."""

    id: str
    verb: str
    path: re.Pattern[str]
    parameters: frozenset[str]
    body: str | None
    response: str
    literal: int


@dataclass(frozen=True)
class Api:
    """One version of one API."""

    name: str
    methods: tuple[Method, ...]
    messages: Mapping[str, Message]

    def method(self, verb: str, path: str) -> Method | None:
        """The method that a request calls, if there is one; of several the most literal."""
        found = (method for method in self.methods if method.verb == verb and method.path.fullmatch(path))
        return max(found, key=lambda method: method.literal, default=None)

    def unknown(self, message: str, value: object) -> list[str]:
        """What in `value` is not as the message has it, in words; empty when all is."""
        return list(self._message(message, value, ""))

    def unknown_parameters(self, method: Method, query: Mapping[str, str]) -> list[str]:
        """Which of the query's names neither the method nor every method has."""
        known = method.parameters | self.messages[_SYSTEM].fields.keys()
        # `options.requestedPolicyVersion` is `options_requestedPolicyVersion` in the generated source.
        return [name for name in query if name.replace(".", "_") not in known and name not in known]

    def _message(self, name: str, value: object, at: str) -> Iterator[str]:
        message = self.messages[name]
        if not isinstance(value, dict):
            yield f"{at or name}: not an object"
            return
        for key, inner in value.items():
            field = message.fields.get(key) or message.others
            where = f"{at}.{key}" if at else key
            if field is None:
                yield f'Unknown name "{where}" ({name}): Cannot find field.'
            elif field.repeated and not isinstance(inner, list):
                yield f"{where}: not a list"
            else:
                for item in inner if field.repeated else [inner]:
                    yield from self._value(field, item, where)

    def _value(self, field: Field, value: object, at: str) -> Iterator[str]:
        if field.kind == "MessageField":
            assert field.type is not None
            if not field.type.startswith("extra_types."):
                yield from self._message(field.type, value, at)
        elif field.kind == "EnumField":
            assert field.type is not None
            if value not in self.messages[field.type].values:
                yield f"{at}: {value!r} is no {field.type}"
        elif field.kind == "BytesField":
            if not _is_base64(value):
                yield f"{at}: no base64"
        elif not isinstance(value, _PYTHON_TYPES[field.kind]) or (
            isinstance(value, bool) and field.kind != "BooleanField"
        ):
            yield f"{at}: {value!r} does not fit a {field.kind}"
        elif (
            field.kind in ("IntegerField", "FloatField") and isinstance(value, str) and not _is_number(value)
        ):
            yield f"{at}: {value!r} is no number"


def api_of(host: str, path: str) -> Api | None:
    """The API that answers at a host and path; None where the SDK has no client for it.

    And None for Compute Engine, whose client takes seconds to read.
    """
    name = "storage" if host == "www.googleapis.com" else host.removesuffix(".googleapis.com")
    name = name.rpartition("-")[2] if name.endswith("-run") else name
    version = _API_AND_VERSION.search(path)
    if version is None or not name.isidentifier() or name == "compute":
        return None
    return _load(name, version[1])


@cache
def _folder() -> Path:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise KitError(Code.GCLOUD_MISSING, "gcloud is not on the PATH.", _INSTALL)
    near = Path(gcloud).resolve().parents
    apis = "lib/googlecloudsdk/generated_clients/apis"
    found = next(
        (at / apis for at in (*near, Path("/usr/lib/google-cloud-sdk")) if (at / apis).is_dir()), None
    )
    if found is None:
        raise KitError(Code.GCLOUD_MISSING, f"{gcloud} has no lib/googlecloudsdk near it.", _INSTALL)
    return found


@cache
def _load(name: str, version: str) -> Api | None:
    folder = _folder() / name / version
    client, messages = (folder / f"{name}_{version}_{part}.py" for part in ("client", "messages"))
    if not client.is_file():
        return None
    known = _messages(ast.parse(messages.read_text()))
    return Api(f"{name} {version}", tuple(_methods(ast.parse(client.read_text()), known)), known)


def _methods(tree: ast.Module, messages: Mapping[str, Message]) -> Iterator[Method]:
    base = next(
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "BASE_URL"
        and isinstance(node.value, ast.Constant)
    )
    root = "/" + str(base).split("/", 3)[3]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "base_api.ApiMethodInfo":
            given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
            template = root + given.get("flat_path", given["relative_path"])
            request = given["request_field"]
            if request == "<request>":
                body = given["request_type_name"]
            else:
                body = messages[given["request_type_name"]].fields[request].type if request else None
            yield Method(
                given["method_id"],
                given["http_method"],
                _pattern(template),
                frozenset(given["query_params"]),
                body,
                given["response_type_name"],
                len(re.sub(r"\{.*?\}", "", template)),
            )


def _pattern(template: str) -> re.Pattern[str]:
    """What a path must be. No parameter has a slash in it, but an operation's (operations/build/P/ID)."""
    escaped = re.escape(template).replace(r"\{operationsId\}", ".+")
    return re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", escaped))


def _messages(tree: ast.Module) -> dict[str, Message]:
    renamed: dict[tuple[str, str], str] = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            owner, old, new, *_ = [*node.value.args, None]
            if isinstance(old, ast.Constant) and isinstance(new, ast.Constant) and owner is not None:
                renamed[ast.unparse(owner), str(old.value)] = str(new.value)
    known: dict[str, Message] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            _class(
                node, (), known, renamed, frozenset(n.name for n in tree.body if isinstance(n, ast.ClassDef))
            )
    return known


def _class(
    node: ast.ClassDef,
    outer: tuple[str, ...],
    known: dict[str, Message],
    renamed: Mapping[tuple[str, str], str],
    top: frozenset[str],
) -> None:
    name = ".".join((*outer, node.name))
    fields: dict[str, Field] = {}
    values: set[str] = set()
    nested = {inner.name for inner in node.body if isinstance(inner, ast.ClassDef)}
    for inner in node.body:
        if isinstance(inner, ast.ClassDef):
            _class(inner, (*outer, node.name), known, renamed, top)
        elif isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
            own = inner.targets[0].id
            shown = renamed.get((name, own), own)
            if isinstance(inner.value, ast.Call):
                field = _field(inner.value)
                if field.type in nested:
                    field = Field(field.kind, f"{name}.{field.type}", field.repeated)
                fields[shown] = field
            else:
                values.add(shown)
    others = None
    if any("MapUnrecognizedFields" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields.pop("additionalProperties")
        others = known[f"{name}.AdditionalProperty"].fields["value"]
    known[name] = Message(fields, frozenset(values), others)


def _field(call: ast.Call) -> Field:
    kind = ast.unparse(call.func).rpartition(".")[2]
    first = call.args[0]
    of = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return Field(kind, of, any(keyword.arg == "repeated" for keyword in call.keywords))


def _is_base64(value: object) -> bool:
    try:
        return isinstance(value, str) and base64.urlsafe_b64decode(value) is not None
    except binascii.Error:
        return False


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
