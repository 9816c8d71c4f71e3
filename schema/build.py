"""The schema, built once a process: types, limits, caches, policies."""

import logging
from functools import cache
from typing import Literal

import strawberry
from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLResolveInfoHelpers,
    GraphQLUnionType,
    Undefined,
)
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionContext

from schema.limits import Limits
from schema.mutations import Mutation
from schema.policies import enforce
from schema.queries import Query
from schema.scalars import SCALARS
from schema.subscriptions import Subscription

FEDERATION: Literal["2.9"] = "2.9"
CACHED_DOCUMENTS = 1024

logging.getLogger("strawberry.execution").disabled = True


class TesseraSchema(strawberry.federation.Schema):
    """A subgraph that leaves logging to its view: the framework's own log prints the values that were sent."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Errors are logged where they are presented, once, without values."""


class Execution(StrawberryGraphQLCoreExecutionContext):
    """An execution that is freed with its last reference.

    The framework's keeps helpers that refer to it, so that all it holds, the caller's context among it, is left to the
    garbage collector, which then stops all calls for a tenth of a second.
    """

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """What a resolver may leave to this execution: made when it is asked for."""
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, helpers: GraphQLResolveInfoHelpers) -> None:
        pass


def assemble(query: type, mutation: type, subscription: type | None = None) -> TesseraSchema:
    """A schema of these roots, with our scalars, limits and caches; no policies yet."""
    schema = TesseraSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=Execution,
        extensions=[
            Limits,
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
        ],
        federation_version=FEDERATION,
    )
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLUnionType) and not type_.name.startswith("_"):
            type_.resolve_type = lambda value, *_: type(value).__name__
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            _drop_null_defaults(type_)
        if isinstance(type_, GraphQLInputObjectType):
            # The executor's own check of @oneOf names the path of the value; the framework's does not.
            type_.is_one_of = bool(type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_one_of)
    return schema


def _drop_null_defaults(type_: GraphQLObjectType) -> None:
    """An optional argument of Python is one without a default in GraphQL, not one with the default null."""
    for field in type_.fields.values():
        for argument in field.args.values():
            if argument.default_value is None:
                argument.default_value = Undefined


@cache
def build_schema() -> TesseraSchema:
    """The schema that is served."""
    schema = assemble(Query, Mutation, Subscription)
    enforce(schema._schema)
    return schema
