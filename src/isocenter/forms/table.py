"""Results as a table: one row for each measurement, for cohorts, statistics and spreadsheets."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.record import Finding, Measurement, Result

if TYPE_CHECKING:
    import pyarrow

__all__ = ["COLUMNS", "arrow", "csv", "parquet", "plain_csv", "plain_parquet", "rows"]

COLUMNS: dict[str, str] = {
    "study_uid": "string", "result": "string", "analysis": "string", "version": "string", "origin": "string",
    "made": "string", "answer": "string", "reasons": "string", "tracking": "string", "finding_code": "string",
    "finding_scheme": "string", "finding": "string", "site": "string", "laterality": "string", "certainty": "double",
    "verdict": "string", "series_uid": "string", "label": "string", "measure_code": "string",
    "measure_scheme": "string", "measure": "string", "value": "double", "unit": "string", "low": "double",
    "high": "double", "definition": "string", "demonstration": "string",
}  # fmt: skip
"""Columns in order, with their Arrow types; the same for every table, so that tables can be joined."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows(results: Iterable[Result], *, demonstration: bool = False) -> list[dict[str, Any]]:
    """One row for each measurement; a finding or an answer without any keeps one row with no value.

    Args:
        demonstration: the images are phantoms of the demonstration, which each row then says.
    """
    found = []
    for result in results:
        head = {
            "study_uid": result.study_uid,
            "result": result.id,
            "analysis": result.origin.name,
            "version": result.origin.version,
            "origin": result.origin.kind,
            "made": result.made.isoformat(),
            "answer": result.answer.value,
            "reasons": "; ".join(result.reasons),
            "demonstration": "yes" if demonstration else "no",
        }
        mine = [{**head, **_finding(f), **_number(m)} for f in result.findings for m in (f.measurements or (None,))]
        mine += [{**head, **_number(m)} for m in result.measurements]
        found += mine or [head]
    return [{name: row.get(name) for name in COLUMNS} for row in found]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "tracking": finding.tracking,
        "finding_code": finding.what.code,
        "finding_scheme": finding.what.scheme,
        "finding": finding.what.meaning,
        "site": finding.site.meaning if finding.site else None,
        "laterality": finding.laterality.meaning if finding.laterality else None,
        "certainty": finding.certainty,
        "verdict": finding.verdict.value,
        "series_uid": finding.where.series_uid if finding.where else None,
        "label": finding.where.label if finding.where else None,
    }


def _number(number: Measurement | None) -> dict[str, Any]:
    if number is None:
        return {}
    return {
        "measure_code": number.what.code,
        "measure_scheme": number.what.scheme,
        "measure": number.what.meaning,
        "value": number.value,
        "unit": number.unit,
        "low": number.low,
        "high": number.high,
        "definition": number.definition,
    }


def arrow(of: Sequence[dict[str, Any]]) -> pyarrow.Table:
    """An Arrow table with the fixed columns, also when there is no row."""
    import pyarrow

    kinds = {"string": pyarrow.string(), "double": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    return pyarrow.Table.from_pylist(list(of), schema=schema)


def parquet(of: Sequence[dict[str, Any]]) -> bytes:
    """A Parquet file."""
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(arrow(of), out, compression="zstd")
    return out.getvalue()


def plain_parquet(of: Sequence[Mapping[str, Any]]) -> bytes:
    """A Parquet file of rows with columns of their own."""
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in of]), out, compression="zstd")
    return out.getvalue()


def plain_csv(of: Sequence[Mapping[str, Any]]) -> bytes:
    """A CSV file of rows with columns of their own, safe for spreadsheets as `csv` is."""
    names = list(dict.fromkeys(name for row in of for name in row))
    out = io.StringIO()
    made = writer.writer(out, lineterminator="\r\n")
    made.writerow(names)
    for row in of:
        made.writerow([_safe(row.get(name)) for name in names])
    return out.getvalue().encode("utf-8")


def csv(of: Sequence[dict[str, Any]]) -> bytes:
    """A CSV file in UTF-8. Text that a spreadsheet would take for a formula is written behind an apostrophe.

    A label such as ``=HYPERLINK(...)`` comes from a stranger's file and must never run on the reader's machine.
    """
    out = io.StringIO()
    made = writer.writer(out, lineterminator="\r\n")
    made.writerow(COLUMNS)
    for row in of:
        made.writerow([_safe(row[name]) for name in COLUMNS])
    return out.getvalue().encode("utf-8")


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return "'" + value
    return "" if value is None else repr(value) if isinstance(value, float) else value
