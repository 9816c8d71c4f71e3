"""Top-level errors as clients see them. Nothing internal is shown: a fault is a request id, and an entry in the log."""

from typing import Any

import structlog
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    type_from_ast,
)
from graphql.type import is_input_type
from graphql.utilities.validate_input_value import validate_input_value

from domain.errors import InvalidInput, NotAllowed, Refusal
from domain.ledger.errors import Overloaded
from resolvers.context import Context
from resolvers.policy import Denied

log = structlog.get_logger()

MAX_MESSAGE = 300
MAX_ERRORS = 20
INTERNAL = "INTERNAL"


def present(error: GraphQLError, context: Context) -> dict[str, Any]:
    """An error of the executor as a member of `errors`; a fault is masked and logged."""
    extensions = _extensions(error, context)
    if extensions["code"] == INTERNAL:
        message = "something went wrong on our side"
        log.error(
            "a field failed", request_id=context.request_id, field=error.path, exc_info=error.original_error or error
        )
    elif isinstance(error.original_error, Refusal):
        message = error.original_error.message(context.language)
    else:
        message = error.message[:MAX_MESSAGE]
    shown: dict[str, Any] = {"message": message, "extensions": extensions}
    if error.locations:
        shown["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    return shown


def problem(code: str, message: str, **more: Any) -> dict[str, Any]:
    """An error that no executor raised."""
    return {"message": message, "extensions": {"code": code, **more}}


def _extensions(error: GraphQLError, context: Context) -> dict[str, Any]:
    cause = error.original_error
    if isinstance(cause, Denied):
        return {"code": cause.code}
    if isinstance(cause, Overloaded):
        return {"code": "RATE_LIMITED", "retryAfter": cause.retry_after}
    if isinstance(cause, NotAllowed):
        return {"code": "FORBIDDEN"}
    if isinstance(cause, Refusal):
        return {"code": "BAD_USER_INPUT" if isinstance(cause, InvalidInput) else cause.code, "path": list(cause.path)}
    if isinstance(error, GraphQLSyntaxError) and "tokens" in error.message:
        return {"code": "QUERY_TOO_COMPLEX"}
    if error.extensions and "code" in error.extensions:
        return dict(error.extensions)
    if cause is None and error.path is None:
        return {"code": "GRAPHQL_VALIDATION_FAILED"}
    return {"code": INTERNAL, "requestId": context.request_id}


def variable_problems(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, variables: dict[str, Any]
) -> list[dict[str, Any]]:
    """What is wrong with the variables, each with the path of the value; at most 20, messages cut short.

    The executor says the same in words, with the values in it; clients need the path, and not their values back.
    """
    operation = get_operation_ast(document, operation_name)
    problems: list[dict[str, Any]] = []
    for definition in operation.variable_definitions or () if isinstance(operation, OperationDefinitionNode) else ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if not is_input_type(type_):
            continue
        if name not in variables and definition.default_value is not None:
            continue

        def refuse(error: GraphQLError, path: list[str | int], name: str = name) -> None:
            where = [name, *(str(part) for part in path)]
            message, _, _ = error.message.partition(", found: ")
            problems.append(problem("BAD_USER_INPUT", message[:MAX_MESSAGE], path=where))

        validate_input_value(variables.get(name), type_, refuse)
        if len(problems) >= MAX_ERRORS:
            break
    return problems[:MAX_ERRORS]
