"""A user's function is read once, so that Dagster knows what it needs and it is given just that."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, Final

import dagster as dg

from metaxy_dagster.errors import InvalidFunction
from metaxy_dagster.input_batches import input_type

INCREMENT: Final = "increment"
CONFIG: Final = "config"
_CONTEXT = ("context", "_context", "context_", "_")
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class AssetFunction:
    """A function and what it takes.

    Attributes:
        function: the function.
        context: its context parameter, or None.
        takes_increment: whether it has a parameter ``increment``.
        given: the parameters that Dagster gives: config, resources and inputs.
        inputs: names of the inputs among them.
    """

    function: Callable[..., Any]
    context: Parameter | None
    takes_increment: bool
    given: Mapping[str, Parameter]
    inputs: tuple[str, ...]

    def call(self, context: object, arguments: Mapping[str, Any], increment: object = None) -> Any:
        """Call the function with those of the arguments that it takes."""
        taken = {name: arguments[name] for name in self.given}
        if self.takes_increment:
            taken[INCREMENT] = increment
        return self.function(*(() if self.context is None else (context,)), **taken)


def asset_function(function: Callable[..., Any], asset: str) -> AssetFunction:
    """Read a function's parameters.

    Args:
        function: a plain function or a generator function.
        asset: the asset it computes, for messages.

    Raises:
        InvalidFunction: it is async, takes ``*args`` or ``**kwargs``, or has an annotation that
            cannot be resolved.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidFunction.from_reason(
            asset, "is async", "make it a plain function, and call asyncio.run inside it"
        )
    parameters = _parameters(function, asset)
    context = parameters[0] if parameters and parameters[0].name in _CONTEXT else None
    rest = parameters if context is None else parameters[1:]
    given = {item.name: item for item in rest if item.name != INCREMENT}
    return AssetFunction(
        function=function,
        context=context,
        takes_increment=any(item.name == INCREMENT for item in rest),
        given=given,
        inputs=_inputs(list(given.values())),
    )


def combined_signature(
    functions: Sequence[AssetFunction],
    resources: Mapping[str, Any],
    asset: str,
    config: Any = None,
) -> Signature:
    """One signature that asks Dagster for what several functions and the wrapper need.

    Args:
        functions: the functions; the first one's context annotation holds.
        resources: further resources by key, and their annotations.
        asset: the asset, for messages.
        config: annotation of the config; None for none.

    Raises:
        InvalidFunction: two functions annotate one parameter differently.
    """
    given: dict[str, Parameter] = {}
    for name, parameter in (pair for item in functions for pair in item.given.items()):
        if given.setdefault(name, parameter).annotation != parameter.annotation:
            raise InvalidFunction.from_reason(
                asset,
                f"and its samples= function annotate {name!r} as {given[name].annotation!r} and "
                f"{parameter.annotation!r}",
                "use one annotation in both",
            )
    for name, annotation in resources.items():
        given.setdefault(name, _positional(name, annotation))
    if config is not None:
        given[CONFIG] = _positional(CONFIG, config)
    context = next((item.context for item in functions if item.context is not None), None)
    first = _positional("context", dg.AssetExecutionContext) if context is None else context
    return Signature([first, *given.values()])


def _parameters(function: Callable[..., Any], asset: str) -> list[Parameter]:
    """The parameters with annotations resolved, all of them passed by position or name."""
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters:
        if parameter.kind in _VARIADIC:
            raise InvalidFunction.from_reason(
                asset, f"takes {str(parameter)!r}", "name each parameter it needs"
            )
    hints = _hints(function, parameters, asset)
    return [
        _positional(parameter.name, input_type(hints.get(parameter.name, Parameter.empty)))
        for parameter in parameters
    ]


def _hints(
    function: Callable[..., Any], parameters: Sequence[Parameter], asset: str
) -> dict[str, Any]:
    def holder() -> None: ...

    holder.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.annotation is not Parameter.empty and parameter.name != INCREMENT
    }
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return typing.get_type_hints(holder, globalns=scope, include_extras=True)
    except NameError as error:
        raise InvalidFunction.from_reason(
            asset,
            f"has an annotation that cannot be resolved ({error})",
            "import that type at module level, outside `if TYPE_CHECKING:`",
        ) from error


def _inputs(given: Sequence[Parameter]) -> tuple[str, ...]:
    """The parameters that Dagster takes for inputs, neither config nor resources."""

    def probe(**_: object) -> None: ...

    probe.__signature__ = Signature(given)  # type: ignore[attr-defined]
    return tuple(dg.op(name="probe")(probe).ins)


def _positional(name: str, annotation: Any) -> Parameter:
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
