"""How a feature is computed, in YAML: the function, and the options of ``metaxify``."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import dagster as dg
from pydantic import BaseModel, InstanceOf

from metaxy_dagster.components.attributes import Attributes, said
from metaxy_dagster.errors import InvalidComponent


@dataclass(frozen=True)
class Retries(Attributes):
    """When a step that failed is tried again."""

    called: ClassVar[str] = "retry_policy"

    max_retries: Annotated[int, said("How often a step is tried again.")] = 1
    delay: Annotated[float | None, said("Seconds between two tries.")] = None


Condition = Annotated[
    InstanceOf[dg.AutomationCondition[Any]] | None,
    dg.Resolver.default(
        model_field_type=str | None,
        description="When Dagster runs the asset by itself.",
        examples=["{{ on_upstream_change() }}", "{{ dg.AutomationCondition.eager() }}"],
    ),
]


@dataclass(frozen=True)
class Compute(Attributes):
    """The function of a feature and how it gets the increment: the options of ``metaxify``."""

    called: ClassVar[str] = "compute"

    function: Annotated[
        str,
        said(
            "module:function that computes the feature's records. A module beside defs.yaml begins "
            "with a dot.",
            "shop.work:faces",
            ".work:faces",
        ),
    ]
    samples: Annotated[
        str | None,
        said("For a root whose function takes the increment: module:function of its samples."),
    ] = None
    orphans: Annotated[
        Literal["keep", "delete"] | None,
        said("What becomes of stored records that are no longer expected; keep by default."),
    ] = None
    limit: Annotated[int | None, said("New and stale records of a run, at most.")] = None
    chunk_size: Annotated[
        int | None, said("Records of a chunk: the increment is computed in a step for each.")
    ] = None
    max_chunks: Annotated[int | None, said("Chunks of a run, at most.")] = None
    buckets: Annotated[int | None, said("Number of static partitions, by hash of the id.")] = None
    batch_size: Annotated[
        int | None,
        said("Records of a dynamic partition; a sensor plans, launches and removes these."),
    ] = None
    max_batches: Annotated[int | None, said("Dynamic partitions at one time, at most.")] = None
    claim_seconds: Annotated[
        float | Literal[False] | None,
        said("Seconds that a run holds its records without a sign of life; false claims none."),
    ] = None
    where: Annotated[
        dict[str, Any] | None,
        said("Columns and values of this asset's records, where several feed one feature."),
    ] = None
    name: Annotated[str | None, said("Last part of the asset's key.")] = None
    key_prefix: Annotated[str | list[str] | None, said("What the key begins with.")] = None
    group_name: Annotated[str | None, said("Group.")] = None
    description: Annotated[str | None, said("Description.")] = None
    tags: Annotated[dict[str, str] | None, said("Tags, beside those of the feature.")] = None
    kinds: Annotated[list[str] | None, said("Kinds, beside those of the feature.")] = None
    owners: Annotated[list[str] | None, said("Owners.")] = None
    pool: Annotated[str | None, said("Pool that limits how many steps run at once.")] = None
    op_tags: Annotated[dict[str, Any] | None, said("Tags of the step.")] = None
    retry_policy: Annotated[Retries | None, said("When a failed step is tried again.")] = None
    automation_condition: Condition = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of ``metaxify``, but for the functions."""
        options = self.given("function", "samples")
        if self.retry_policy is not None:
            options["retry_policy"] = dg.RetryPolicy(**self.retry_policy.given())
        if self.claim_seconds is False:
            options["claim_seconds"] = None
        if self.kinds is not None:
            options["kinds"] = set(self.kinds)
        return options


Computes = dict[str, list[Compute]]


def to_computes(given: Any) -> Any:
    """A text, a mapping, or a list of these for each feature, as lists.

    Args:
        given: what stands under ``compute``.
    """
    if not isinstance(given, dict):
        return given
    return {feature: _each(feature, value) for feature, value in given.items()}


def resolved_computes(context: dg.ResolutionContext, given: Any) -> Computes:
    """What the YAML says under ``compute``, with its templates filled in.

    Args:
        context: of the resolution.
        given: what pydantic read.
    """
    return {
        feature: [_resolved(context.at_path(feature), value) for value in _listed(values)]
        for feature, values in given.items()
    }


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple) else [values]


def _resolved(context: dg.ResolutionContext, value: str | BaseModel) -> Compute:
    if isinstance(value, BaseModel):
        found: Compute = Compute.resolve_from_model(context, value)
        return found
    return Compute(context.resolve_value(value, as_type=str))


def _each(feature: str, values: Any) -> list[Any]:
    found = [Compute(each) if isinstance(each, str) else each for each in _listed(values)]
    if not found or None in found:
        raise InvalidComponent.from_attribute(
            f"compute.{feature}", values, "'module:function', or a mapping with function: and more"
        )
    return found


ResolvedComputes = Annotated[
    Computes,
    dg.Resolver(
        resolved_computes,
        model_field_type=dict[str, str | Compute.model() | list[str | Compute.model()]],  # type: ignore[misc]
        description=(
            "The functions that compute features, by feature: 'module:function', or a mapping with "
            "options; a list where several assets feed one feature (where:). A feature without "
            "one, and without an asset in feature_module, is an external asset."
        ),
        examples=[{"shop/face": "shop.work:faces"}],
    ),
]
