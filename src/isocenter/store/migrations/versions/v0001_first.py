"""The journal, the end of its chain, and the first projection.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
GENESIS = "0" * 64

TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    # name: (key columns, the other columns; '#' is a number, '?' a number that may be absent)
    "chain": (("#id",), "#number hash"),
    "event": (("#number",), "time kind who subject details previous hash"),
    "patient": (("id", "issuer"), "name name_key name_ideographic name_phonetic birth_date sex"),
    "study": (
        ("uid",),
        "patient_id issuer patient_name name_key name_ideographic name_phonetic birth_date sex accession date time "
        "time_key description referring referring_key priority arrived modalities "
        "#series_count #instance_count #bytes",
    ),
    "series": (
        ("uid",),
        "study_uid modality ?number description body_part laterality frame_of_reference facts varying #instance_count",
    ),
    "instance": (
        ("sop_uid",),
        "study_uid series_uid sop_class transfer_syntax digest #size ?number #rows #columns #frames facts",
    ),
    "set_aside": (("sop_uid", "digest"), "study_uid reason sender #event"),
    "result": (("digest",), "study_uid outcome urgency origin name version made replaces #event"),
    "reading": (("study_uid",), "state by opened signed first draft reports #version"),
    "person": (("name",), "role credential #disabled added"),
    "peer": (("name",), "aet host #port kind"),
}

INDEXES = (
    ("event_subject", "event", "subject number"),
    ("event_kind", "event", "kind number"),
    ("event_who", "event", "who number"),
    ("patient_name", "patient", "name_key"),
    ("study_arrived", "study", "arrived uid"),
    ("study_date", "study", "date uid"),
    ("study_patient", "study", "patient_id issuer"),
    ("study_name", "study", "name_key uid"),
    ("study_ideographic", "study", "name_ideographic"),
    ("study_phonetic", "study", "name_phonetic"),
    ("study_accession", "study", "accession"),
    ("study_referring", "study", "referring_key"),
    ("series_study", "series", "study_uid modality"),
    ("series_modality", "series", "modality study_uid"),
    ("instance_series", "instance", "series_uid"),
    ("instance_study", "instance", "study_uid"),
    ("result_study", "result", "study_uid event"),
    ("result_replaces", "result", "replaces"),
    ("reading_state", "reading", "state"),
)


def upgrade() -> None:
    """Make the tables, and have the database itself refuse to change or remove an event."""
    for name, (key, others) in TABLES.items():
        op.create_table(name, *(_column(c, key=True) for c in key), *(_column(c) for c in others.split()))
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns.split())
    op.bulk_insert(
        sa.table("chain", sa.column("id"), sa.column("number"), sa.column("hash")),
        [
            {"id": 1, "number": 0, "hash": GENESIS},
        ],
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER event_no_{verb.lower()} BEFORE {verb} ON event "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION event_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event "
            "FOR EACH ROW EXECUTE FUNCTION event_is_kept()"
        )


def _column(spec: str, *, key: bool = False) -> sa.Column[object]:
    name = spec.lstrip("#?")
    more = {"primary_key": True, "autoincrement": False} if key else {"nullable": spec.startswith("?")}
    return sa.Column(name, BIG if spec[0] in "#?" else TEXT, **more)  # type: ignore[arg-type]
