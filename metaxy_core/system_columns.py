"""Names of the columns that the system adds stand here, so that every room spells them alike."""

from __future__ import annotations

from typing import Final

from metaxy_core.keys import FieldKey

PREFIX: Final = "metaxy_"

# On disk: one row of a feature's table.
COMMIT: Final = "metaxy_commit"
DELETED: Final = "metaxy_deleted"

# In frames given to users.
PROVENANCE_BY_FIELD: Final = "metaxy_provenance_by_field"
DATA_VERSION_BY_FIELD: Final = "metaxy_data_version_by_field"
PROVENANCE: Final = "metaxy_provenance"
DATA_VERSION: Final = "metaxy_data_version"
FEATURE_VERSION: Final = "metaxy_feature_version"
CREATED_AT: Final = "metaxy_created_at"
DELETED_AT: Final = "metaxy_deleted_at"
MATERIALIZATION_ID: Final = "metaxy_materialization_id"
CHANGED_FIELDS: Final = "metaxy_changed_fields"

# In a feature's table of failed attempts, and in frames made of it.
ERROR: Final = "metaxy_error"
FAILED_AT: Final = "metaxy_failed_at"
ATTEMPTS: Final = "metaxy_attempts"

# In a feature's table of claimed records, and where they are told apart.
CLAIM: Final = "metaxy_claim"
OWN: Final = "metaxy_own"

# In a feature's table of planned batches.
PLAN: Final = "metaxy_plan"
BATCH: Final = "metaxy_batch"

# Inside one comparison.
STATUS: Final = "metaxy_status"
READY: Final = "metaxy_ready"
EXHAUSTED: Final = "metaxy_exhausted"
MOVED: Final = "metaxy_moved"


PROVENANCE_OF: Final = "metaxy_provenance__"
DATA_VERSION_OF: Final = "metaxy_data_version__"


def provenance(field: FieldKey) -> str:
    """Column that holds a field's provenance, int64."""
    return PROVENANCE_OF + field.to_identifier()


def field_of_provenance(column: str) -> str | None:
    """The field, as an identifier, whose provenance a column holds; None if it holds none."""
    return column.removeprefix(PROVENANCE_OF) if column.startswith(PROVENANCE_OF) else None


def data_version(field: FieldKey) -> str:
    """Column that holds a field's data version, int64; NULL means "equal to the provenance"."""
    return DATA_VERSION_OF + field.to_identifier()


def sample(field: FieldKey) -> str:
    """Column that holds the canonical text of a root sample's field."""
    return f"metaxy_sample__{field.to_identifier()}"


def changed(field: FieldKey) -> str:
    """Column that tells whether a field of a stale record changed."""
    return f"metaxy_changed__{field.to_identifier()}"


def parents_table(table: str) -> str:
    """Table in which an expansion remembers the parents it has processed."""
    return f"metaxy__parents__{table}"


def attempts_table(table: str) -> str:
    """Table in which failed attempts at a feature's records are kept."""
    return f"metaxy__attempts__{table}"


def claimed_table(table: str) -> str:
    """Table of the records that runs have claimed."""
    return f"metaxy__claimed__{table}"


def batches_table(table: str) -> str:
    """Table that tells which records are in which planned batch."""
    return f"metaxy__batches__{table}"


def left_table(table: str) -> str:
    """Table of the few records that were left over when commits were settled."""
    return f"metaxy__left__{table}"


def is_reserved(column: str) -> bool:
    """Whether a column name belongs to the system."""
    return column.lower().startswith(PREFIX)
