"""A component for ``dg``: features, their functions and their automation, said in YAML."""

from metaxy_dagster.components.metaxy_component import MetaxyComponent

__all__ = ["MetaxyComponent"]
