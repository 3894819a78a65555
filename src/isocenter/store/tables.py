"""The tables: one journal that is never changed, and the projection that can be dropped and made again from it.

Keys are the natural ones (UIDs, digests, names), so that a rebuilt projection is equal to the first, row by row.
Text that is searched or sorted compares byte by byte on both databases.
"""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "KEPT",
    "PROJECTION",
    "alias",
    "chain",
    "event",
    "home",
    "instance",
    "metadata",
    "patient",
    "peer",
    "person",
    "reading",
    "rehomed",
    "rejected",
    "result",
    "series",
    "set_aside",
    "study",
]

metadata = sa.MetaData()

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by code point everywhere."""
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, **more: object) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False, **more)  # type: ignore[arg-type]


def _number(name: str, *, nullable: bool = False, **more: object) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=nullable, **more)  # type: ignore[arg-type]


event = sa.Table(
    "event",
    metadata,
    sa.Column("number", BIG, primary_key=True, autoincrement=False),
    _text("time"),
    _text("kind"),
    _text("who"),
    _text("subject"),
    _text("details"),
    _text("previous"),
    _text("hash"),
    sa.Index("event_subject", "subject", "number"),
    sa.Index("event_kind", "kind", "number"),
    sa.Index("event_who", "who", "number"),
)
"""The journal; triggers refuse every change and removal."""

KEPT = {
    "sqlite": tuple(
        f"CREATE TRIGGER event_no_{verb.lower()} BEFORE {verb} ON event "
        "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE FUNCTION event_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$",
        "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION event_is_kept()",
    ),
}
"""What has the database itself refuse to change or remove an event."""

chain = sa.Table(
    "chain", metadata, sa.Column("id", BIG, primary_key=True, autoincrement=False), _number("number"), _text("hash")
)
"""One row: the end of the chain. Whoever appends holds it; whoever cuts the journal's end off is found by it."""

patient = sa.Table(
    "patient",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("issuer", TEXT, primary_key=True),
    _text("name"),
    _text("name_key"),
    _text("name_ideographic"),
    _text("name_phonetic"),
    _text("birth_date"),
    _text("sex"),
    sa.Index("patient_name", "name_key"),
)

study = sa.Table(
    "study",
    metadata,
    sa.Column("uid", TEXT, primary_key=True),
    _text("patient_id"),
    _text("issuer"),
    _text("patient_name"),
    _text("name_key"),
    _text("name_ideographic"),
    _text("name_phonetic"),
    _text("birth_date"),
    _text("sex"),
    _text("accession"),
    _text("date"),
    _text("time"),
    _text("time_key"),
    _text("description"),
    _text("referring"),
    _text("referring_key"),
    _text("priority"),
    _text("arrived"),
    _text("modalities"),
    _number("series_count"),
    _number("instance_count"),
    _number("bytes"),
    sa.Index("study_arrived", "arrived", "uid"),
    sa.Index("study_date", "date", "uid"),
    sa.Index("study_patient", "patient_id", "issuer"),
    sa.Index("study_name", "name_key", "uid"),
    sa.Index("study_ideographic", "name_ideographic"),
    sa.Index("study_phonetic", "name_phonetic"),
    sa.Index("study_accession", "accession"),
    sa.Index("study_referring", "referring_key"),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("uid", TEXT, primary_key=True),
    _text("study_uid"),
    _text("modality"),
    _number("number", nullable=True),
    _text("description"),
    _text("body_part"),
    _text("laterality"),
    _text("frame_of_reference"),
    _text("facts"),
    _text("varying"),
    _number("instance_count"),
    sa.Index("series_study", "study_uid", "modality"),
    sa.Index("series_modality", "modality", "study_uid"),
)

instance = sa.Table(
    "instance",
    metadata,
    sa.Column("sop_uid", TEXT, primary_key=True),
    _text("study_uid"),
    _text("series_uid"),
    _text("sop_class"),
    _text("transfer_syntax"),
    _text("digest"),
    _number("size"),
    _number("number", nullable=True),
    _number("rows"),
    _number("columns"),
    _number("frames"),
    _text("facts"),
    sa.Index("instance_series", "series_uid"),
    sa.Index("instance_study", "study_uid"),
)

set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("sop_uid", TEXT, primary_key=True),
    sa.Column("digest", TEXT, primary_key=True),
    _text("study_uid"),
    _text("reason"),
    _text("sender"),
    _number("event"),
)
"""Quarantine: what came under a known identity with other content. Its bytes are kept, and nothing was overwritten."""

result = sa.Table(
    "result",
    metadata,
    sa.Column("digest", TEXT, primary_key=True),
    _text("study_uid"),
    _text("outcome"),
    _text("urgency"),
    _text("origin"),
    _text("name"),
    _text("version"),
    _text("made"),
    _text("replaces"),
    _number("event"),
    sa.Index("result_study", "study_uid", "event"),
    sa.Index("result_replaces", "replaces"),
)

reading = sa.Table(
    "reading",
    metadata,
    sa.Column("study_uid", TEXT, primary_key=True),
    _text("state"),
    _text("by"),
    _text("opened"),
    _text("signed"),
    _text("first"),
    _text("draft"),
    _text("reports"),
    _text("assigned", server_default=""),
    _number("version"),
    sa.Index("reading_state", "state"),
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    _text("role"),
    _text("credential"),
    _number("disabled"),
    _text("added"),
)

peer = sa.Table(
    "peer",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    _text("aet"),
    _text("host"),
    _number("port"),
    _text("kind"),
)

rejected = sa.Table(
    "rejected",
    metadata,
    sa.Column("sop_uid", TEXT, primary_key=True),
    _text("study_uid"),
    _text("series_uid"),
    _text("digest"),
    _text("code"),
    _text("item"),
    _text("above"),
    _number("rejection"),
    _number("purged"),
    sa.Index("rejected_study", "study_uid"),
    sa.Index("rejected_rejection", "rejection"),
)
"""Images that a rejection hides, with what is needed to bring them back: `item`, and of each series once `above`."""

alias = sa.Table(
    "alias",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("issuer", TEXT, primary_key=True),
    _text("into_id"),
    _text("into_issuer"),
    _number("event"),
)
"""Identities of patients that were merged into others; what arrives under them is the others'."""

rehomed = sa.Table(
    "rehomed",
    metadata,
    sa.Column("study_uid", TEXT, primary_key=True),
    sa.Column("event", BIG, primary_key=True, autoincrement=False),
    _text("was"),
)
"""Studies that changed their patient by an event, and whose they were before it."""

home = sa.Table(
    "home",
    metadata,
    sa.Column("study_uid", TEXT, primary_key=True),
    _text("project"),
    _number("event"),
    sa.Index("home_project", "project"),
)
"""In which project a study is at home; what has no row is in the house."""

PROJECTION = (
    patient, study, series, instance, set_aside, result, reading, person, peer, rejected, alias, rehomed, home,
)  # fmt: skip
"""What `rebuild` drops and folds again; `event` and `chain` are not among them."""
