"""How much one document may ask for. All rules are classes built once, so that the validation cache hits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    ValueNode,
    VariableNode,
    specified_rules,
)
from graphql.language import SKIP, ArgumentNode, VisitorAction
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation import ValuesOfCorrectTypeRule
from strawberry.extensions import SchemaExtension

from resolvers.pages import DEFAULT, MOST
from schema.scalars import BadInput

MAX_TOKENS = 3_000
MAX_DEPTH = 15
MAX_ALIASES = 30
MAX_COST = 100_000


def too_complex(message: str) -> GraphQLError:
    """The error of a document that asks for too much."""
    return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX"})


@dataclass(frozen=True, slots=True)
class Weight:
    """What a selection amounts to. `cost` is the number of fields in the answer, lists at their full length."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0

    def beside(self, other: "Weight") -> "Weight":
        """Both selections."""
        return Weight(max(self.depth, other.depth), self.aliases + other.aliases, self.cost + other.cost)


class ComplexityRule(ValidationRule):
    """Refuses documents that are too deep, have too many aliases, or may return too many fields.

    A connection counts as long as its `first` or `last`; a page size in a variable counts as its default, or as 100.
    Each fragment is weighed once, so weighing is linear in the document. Introspection is not limited here.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments: dict[str, Weight | None] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Weigh one operation."""
        self._fragments.clear()
        defaults = {
            definition.variable.name.value: definition.default_value for definition in node.variable_definitions or ()
        }
        weight = self._weigh(node.selection_set, defaults)
        for what, found, most in (
            ("deep", weight.depth, MAX_DEPTH),
            ("many aliases", weight.aliases, MAX_ALIASES),
            ("costly", weight.cost, MAX_COST),
        ):
            if found > most:
                self.report_error(too_complex(f"the operation is too {what}: {found}, at most {most}"))

    def _weigh(self, selections: SelectionSetNode | None, defaults: dict[str, Any]) -> Weight:
        weight = Weight()
        for node in selections.selections if selections is not None else ():
            if isinstance(node, FieldNode):
                weight = weight.beside(self._weigh_field(node, defaults))
            elif isinstance(node, InlineFragmentNode):
                weight = weight.beside(self._weigh(node.selection_set, defaults))
            elif isinstance(node, FragmentSpreadNode):
                weight = weight.beside(self._weigh_fragment(node.name.value, defaults))
        return weight

    def _weigh_field(self, node: FieldNode, defaults: dict[str, Any]) -> Weight:
        if node.name.value.startswith("__"):
            return Weight(cost=1)
        inner = self._weigh(node.selection_set, defaults)
        times = _length(node, defaults)
        return Weight(inner.depth + 1, inner.aliases + (node.alias is not None), 1 + min(times * inner.cost, 10**12))

    def _weigh_fragment(self, name: str, defaults: dict[str, Any]) -> Weight:
        if name not in self._fragments:
            self._fragments[name] = None  # a cycle ends here; another rule reports it
            fragment: FragmentDefinitionNode | None = self.context.get_fragment(name)
            if fragment is not None:
                self._fragments[name] = self._weigh(fragment.selection_set, defaults)
        return self._fragments[name] or Weight()


def _length(node: FieldNode, defaults: dict[str, Any]) -> int:
    """How many items a field may return: its page size; 20 if it is a connection without one; else 1."""
    if node.name.value == "consistencyProof":
        return 1  # its `first` is no page size, but a size of the log
    for argument in node.arguments or ():
        if argument.name.value in ("first", "last"):
            value: ValueNode | None = argument.value
            if isinstance(value, VariableNode):
                value = defaults.get(value.name.value)
            return abs(int(value.value[:9])) if isinstance(value, IntValueNode) else MOST
    inner = node.selection_set.selections if node.selection_set is not None else ()
    return DEFAULT if any(isinstance(child, FieldNode) and child.name.value == "edges" for child in inner) else 1


class LiteralsRule(ValuesOfCorrectTypeRule):
    """As the standard rule; what a scalar of ours refuses in the document itself names its path, as for variables."""

    _argument = ""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Remember whose value comes next."""
        self._argument = node.name.value

    def is_valid_value_node(self, node: ValueNode, input_type: Any) -> VisitorAction:
        """Check one literal."""
        if input_type:
            validate_input_literal(node, input_type, self._refuse)
        return SKIP  # the value has been checked whole

    def _refuse(self, error: GraphQLError, path: list[str | int]) -> None:
        if isinstance(error, BadInput):
            where = [self._argument, *path] if self._argument else path
            error.extensions = {"code": "BAD_USER_INPUT", "path": [str(part) for part in where]}
        self.report_error(error)


RULES = (*(LiteralsRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules), ComplexityRule)


class Limits(SchemaExtension):
    """Sets the rules a document is checked by, and how long it may be."""

    def on_operation(self) -> Iterator[None]:
        """Before parsing."""
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        self.execution_context.validation_rules = RULES
        yield
