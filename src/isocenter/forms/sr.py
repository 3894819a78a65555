"""Findings and measurements as a DICOM Structured Report, template TID 1500, and back.

What a machine measured arrives in the archive as data, not as a picture: each number with its code and UCUM unit,
each finding with its tracking identity, its place, and the voxels or the outline that it was measured on. A report of
a machine is preliminary and unverified and names the algorithm (TID 4019); only a report of a person who signed is
verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.errors import Refused
from isocenter.forms import maker, planes, seg
from isocenter.forms.contours import contours
from isocenter.forms.maker import Sources
from isocenter.record import Code, Finding, Measurement, Outcome, Result, Study, Verdict, codes
from isocenter.record.plain import digest_of
from isocenter.record.result import unit_meaning
from isocenter.space import Reference, Region, Shape

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Group", "Outline", "Report", "Signature", "identity", "read", "write"]

_PROCEDURES = {
    "CT": Code("77477000", "SCT", "Computed tomography"),
    "MG": Code("71651007", "SCT", "Mammography"),
}
_ANY_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
_FINDING = Code("121071", "DCM", "Finding")
_ABSENT = Code("272519000", "SCT", "Absent")
_COMMENT = Code("121106", "DCM", "Comment")
_LATERALITY = "272741003"
_SITES = ("363698007", "G-C0E3")
_UPPER, _LOWER = "R-00364", "R-00362"

# Codes of ours that DICOM says in two words: what was measured, and how the region was summarised (CID 7464).
_PEAK = Code("126031", "DCM", "Peak Value Within ROI")
_SUMMARIES = {codes.SUV_MAX: codes.MAXIMUM, codes.SUV_MEAN: codes.MEAN, codes.SUV_PEAK: _PEAK}
_SUV_BY_UNIT = {
    "{SUVbw}g/ml": codes.SUVBW,
    "{SUVlbm}g/ml": codes.SUVLBM,
    "{SUVbsa}cm2/ml": codes.SUVBSA,
    "{SUVibw}g/ml": codes.SUVIBW,
}


@dataclass(frozen=True)
class Signature:
    """A person who verified: DICOM name, organisation, and when."""

    name: str
    organisation: str
    when: datetime


@dataclass(frozen=True, eq=False)
class Outline:
    """An outline in a report: on which image and frame (1 for a single frame), of which kind, (n, 2) column and row,
    or (n, 3) patient millimetres with the frame of reference in `image`."""

    image: str
    frame: int
    kind: str
    points: Any


@dataclass(frozen=True, eq=False)
class Group:
    """One measurement group: the finding (without voxels), the segment it refers to, its outlines and images.

    A group that names no finding, such as the numbers of a whole study, has an `Image Region` for one; `absent` says
    that something was looked for and not found.
    """

    finding: Finding
    segment: tuple[str, int] | None = None
    outlines: tuple[Outline, ...] = ()
    images: tuple[str, ...] = ()
    algorithm: tuple[str, str] | None = None
    absent: bool = False


@dataclass(frozen=True, eq=False)
class Report:
    """What a structured report says."""

    study_uid: str
    sop_uid: str
    groups: tuple[Group, ...]
    verified_by: str = ""
    preliminary: bool = True

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of all groups."""
        return tuple(g.finding for g in self.groups if not g.absent)


def identity(result: Result) -> tuple[str, str]:
    """(Series Instance UID, SOP Instance UID) that `write` gives to the report of a result."""
    return maker.uid(result.id, "sr", "series"), maker.uid(result.id, "sr", "instance")


def write(
    result: Result,
    study: Study,
    sources: Sources,
    *,
    segmentations: Sequence[bytes] = (),
    signed: Signature | None = None,
) -> bytes:
    """A Comprehensive 3D SR of one result.

    Args:
        result: found or none; a declined result has nothing to report.
        study: the study that it is about.
        sources: gives the stored file of a SOP Instance UID.
        segmentations: what `seg.write` made of the same result, so that findings refer to segments; a finding whose
            region is in none of them is given by its outlines.
        signed: the person who verified; only a person's result can be.

    Raises:
        Refused: for a declined result, a machine's result that is to be verified, or a region outside the images.
    """
    import highdicom as hd
    from highdicom.sr import Comprehensive3DSR, MeasurementReport

    maker.must_belong(result, study)
    if result.outcome is Outcome.DECLINED:
        raise Refused("a declined result", "it has no finding and no number", "tell the reasons in the report text")
    if signed and result.origin.kind != "person":
        raise Refused(
            f"a result of {result.origin.name} as verified by {signed.name}",
            "a machine's result stays unverified",
            "write the result that the person signed",
        )
    scene = _Scene(result, study, sources, segmentations)
    groups = [scene.group(f) for f in result.findings if f.verdict is not Verdict.STRUCK]
    if result.measurements or not groups:
        groups.append(scene.whole())
    modality = scene.modality()
    report = MeasurementReport(
        observation_context=_observers(result, signed),
        procedure_reported=maker.coded(_PROCEDURES.get(modality, _ANY_PROCEDURE)),
        imaging_measurements=groups,
    )
    series_uid, sop_uid = identity(result)
    made = Comprehensive3DSR(
        evidence=list(scene.evidence.values()),
        content=report[0],
        series_instance_uid=series_uid,
        series_number=9002,
        sop_instance_uid=sop_uid,
        instance_number=1,
        manufacturer=maker.MAKER,
        is_complete=True,
        is_final=signed is not None,
        is_verified=signed is not None,
        verifying_observer_name=maker.person_name(signed.name) if signed else None,
        verifying_organization=signed.organisation if signed else None,
        series_description=f"{result.origin.name[:48]} measurements",
        **{k: v for k, v in maker.equipment().items() if k != "manufacturer"},
        content_qualification=hd.ContentQualificationValues.RESEARCH if not signed else None,
    )
    maker.settle(made, result.made, result.id, "sr")
    if signed:
        for observer in made.VerifyingObserverSequence:
            observer.VerifyingObserverName = str(observer.VerifyingObserverName).rstrip("^")
            observer.VerificationDateTime = signed.when.strftime("%Y%m%d%H%M%S.%f%z")
    return maker.dump(made)


def _observers(result: Result, signed: Signature | None) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes as words

    machine = result.origin.kind == "machine"
    name, number = maker.algorithm_words(result.origin) if machine else (maker.MAKER, maker.version())
    device = ObserverContext(
        observer_type=words.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=maker.uid("device", name, number),
            name=name,
            manufacturer_name=maker.MAKER,
            model_name=name,
            serial_number=number,
        ),
    )
    person = None
    if not machine:
        person = ObserverContext(
            observer_type=words.DCM.Person,
            observer_identifying_attributes=PersonObserverIdentifyingAttributes(
                name=maker.person_name(signed.name if signed else result.origin.name),
                login_name=result.origin.name,
                organization_name=signed.organisation if signed else None,
            ),
        )
    return ObservationContext(observer_person_context=person, observer_device_context=device)


class _Scene:
    """The images and segmentations around one result, read once."""

    def __init__(self, result: Result, study: Study, sources: Sources, segmentations: Sequence[bytes]) -> None:
        self.result, self.study, self.sources = result, study, sources
        self.evidence: dict[str, Dataset] = {}
        self._segments: dict[str, tuple[Dataset, int]] = {}
        for data in segmentations:
            header = maker.fit(maker.load(data, pixels=False))
            for item in header.SegmentSequence:
                if "TrackingUID" in item:
                    self._segments[str(item.TrackingUID)] = (header, int(item.SegmentNumber))
        self._number = {id(f): n for group in seg.segments(result) for n, f in group}

    def modality(self) -> str:
        """Modality of the images that the result speaks of."""
        wanted = [f.where.series_uid for f in self.result.findings if f.where] + list(self.result.receipt.series)
        return next((s.modality for uid in wanted for s in self.study.series if s.uid == uid), "")

    def _tracking(self, finding: Finding) -> str:
        number = self._number.get(id(finding), 0)
        return finding.tracking or maker.uid(self.result.id, str(number or f"f{self.result.findings.index(finding)}"))

    def _common(self, finding: Finding) -> dict[str, Any]:
        from highdicom.sr import FindingSite, TrackingIdentifier

        tracking = self._tracking(finding)
        side = maker.coded(finding.laterality) if finding.laterality else None
        numbers = [_measurement(m) for m in finding.measurements]
        if finding.certainty is not None:
            numbers.append(_measurement(Measurement(codes.PROBABILITY, finding.certainty, "1")))
        return {
            "tracking_identifier": TrackingIdentifier(uid=seg.tracking_uid(tracking), identifier=tracking),
            "finding_type": maker.coded(finding.what),
            "finding_sites": [FindingSite(maker.coded(finding.site), side)] if finding.site else None,
            "measurements": numbers or None,
            "algorithm_id": self._algorithm(),
        }

    def _algorithm(self) -> Any:
        from highdicom.sr import AlgorithmIdentification

        if self.result.origin.kind != "machine":
            return None
        name, number = maker.algorithm_words(self.result.origin)
        said = [f"{k}={v}"[:1024] for k, v in sorted(self.result.origin.parameters.items())]
        if self.result.origin.model:
            said.append(f"model={self.result.origin.model}")
        return AlgorithmIdentification(
            name=name,
            version=number,
            parameters=said or None,
            family=maker.coded(maker.ANALYSIS_FAMILY),
            manufacturer=maker.MAKER,
        )

    def group(self, finding: Finding) -> Any:
        from highdicom.sr import MeasurementsAndQualitativeEvaluations as Plain
        from highdicom.sr import PlanarROIMeasurementsAndQualitativeEvaluations as Planar
        from highdicom.sr import VolumetricROIMeasurementsAndQualitativeEvaluations as Volumetric

        common, where = self._common(finding), finding.where
        if where is None:
            made = Plain(**common, source_images=self._whole_image() or None)
        elif referenced := self._segment(finding, where):
            made = Volumetric(**common, referenced_segment=referenced)
        elif where.shape is Shape.MASK or where.geometry.reference != Reference.PATIENT:
            regions = self._regions(where)
            if where.shape is Shape.MASK and where.geometry.reference == Reference.PATIENT:
                made = Volumetric(**common, referenced_regions=regions)
            elif len(regions) == 1:
                made = Planar(**common, referenced_region=regions[0])
            else:
                made = Volumetric(**common, referenced_regions=regions)
        else:
            made = Planar(**common, referenced_region=self._in_patient(where))
        if finding.words:
            _say(made, finding.words)
        return made

    def whole(self) -> Any:
        """The group of what is said of the study as a whole; where none was found, that it was looked for."""
        from highdicom.sr import MeasurementsAndQualitativeEvaluations as Plain
        from highdicom.sr import QualitativeEvaluation, TrackingIdentifier

        name = maker.uid(self.result.id, "whole")
        none = self.result.outcome is Outcome.NONE
        made = Plain(
            tracking_identifier=TrackingIdentifier(uid=name, identifier=f"{self.result.origin.name}: whole study"[:64]),
            measurements=[_measurement(m) for m in self.result.measurements] or None,
            qualitative_evaluations=[QualitativeEvaluation(maker.coded(_FINDING), maker.coded(_ABSENT))]
            if none
            else None,
            algorithm_id=self._algorithm(),
            source_images=self._whole_image() or None,
        )
        if self.result.reasons:
            _say(made, " ".join(self.result.reasons))
        return made

    def _segment(self, finding: Finding, where: Region) -> Any:
        # The constructor, because highdicom's from_segmentation fails on an object with one segment.
        from highdicom.sr import ReferencedSegment, SourceSeriesForSegmentation

        found = self._segments.get(seg.tracking_uid(self._tracking(finding)))
        if found is None:
            return None
        header, number = found
        self.evidence[str(header.SOPInstanceUID)] = header
        return ReferencedSegment(
            sop_class_uid=header.SOPClassUID,
            sop_instance_uid=header.SOPInstanceUID,
            segment_number=number,
            source_series=SourceSeriesForSegmentation(where.series_uid),
        )

    def _regions(self, where: Region) -> list[Any]:
        from highdicom.sr import ImageRegion, SourceImageForRegion

        made = []
        if where.mask is not None and where.voxels:
            (first, *_), (last, *_) = where.bounds
            grid = where.geometry.cropped((first, 0, 0), (last, *where.geometry.shape[1:]))
            where = replace(where, geometry=grid, mask=where.mask[first:last])
        carried = planes.planes(self.study, where, self.sources)
        for index, plane in carried.items():
            for line in contours(where, index):
                self.evidence[plane.sop_uid] = plane.image
                kind = "POINT" if where.shape is Shape.POINT else "POLYLINE"
                for points in np.split(line, len(line)) if kind == "POINT" else [line]:
                    made.append(
                        ImageRegion(
                            graphic_type=kind,
                            # DICOM counts from the corner of the first pixel, we from its centre (PS3.3 C.18.6.1.2)
                            graphic_data=points + 0.5,
                            source_image=SourceImageForRegion(
                                plane.image.SOPClassUID, plane.sop_uid, [plane.frame] if plane.frame else None
                            ),
                        )
                    )
        if not made:
            raise Refused("a region that crosses no image", "there is nothing to draw it on", "check its series")
        return made

    def _in_patient(self, where: Region) -> Any:
        from highdicom.sr import ImageRegion3D

        frame = where.geometry.frame_of_reference
        if not frame:
            raise Refused("points without a frame of reference", "they lie in no known space", "name the frame")
        assert where.points_mm is not None
        points = where.points_mm
        kind = {Shape.POINT: "POINT", Shape.ELLIPSE: "ELLIPSE", Shape.POLYGON: "POLYGON"}.get(where.shape, "POLYLINE")
        if where.shape is Shape.BOX:
            index = where.geometry.to_index(points)
            (a, b, c), (_, e, f) = index[0], index[1]
            points = where.geometry.to_patient([(a, b, c), (a, b, f), (a, e, f), (a, e, c)])
            kind = "POLYGON"
        if kind == "POLYGON":
            points = np.vstack([points, points[:1]])
        if kind == "POINT":
            points = points[:1]
        if where.series_uid:
            self._remember(planes.planes(self.study, where, self.sources))
        return ImageRegion3D(graphic_type=kind, graphic_data=points, frame_of_reference_uid=frame)

    def _remember(self, carried: dict[int, planes.Plane]) -> None:
        for plane in carried.values():
            self.evidence[plane.sop_uid] = plane.image

    def _whole_image(self) -> list[Any]:
        """The image of a statement that has no place: the first that the result was made from.

        Of what was read out of another report there is none; that report is evidence then.
        """
        from highdicom.sr import SourceImageForMeasurementGroup

        wanted = self.result.receipt.series or tuple(s.uid for s in self.study.series)
        used = [i for series in self.study.series if series.uid in wanted for i in series.instances]
        for instance in (*(i for i in used if i.rows), *used):
            looked_at = self.evidence.get(instance.sop_uid) or maker.header(self.sources, instance.sop_uid)
            self.evidence[instance.sop_uid] = looked_at
            if not instance.rows:
                return []
            return [SourceImageForMeasurementGroup(looked_at.SOPClassUID, looked_at.SOPInstanceUID)]
        raise Refused("a result on no image of the study", "a report must cite what was looked at", "name its series")


def _say(group: Any, words: str) -> None:
    """Add plain words to a group."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    group[0].ContentSequence.append(
        TextContentItem(maker.coded(_COMMENT), words[:1024], RelationshipTypeValues.CONTAINS)
    )


def _measurement(number: Measurement) -> Any:
    from highdicom.sr import Measurement as Num
    from highdicom.sr import MeasurementProperties

    name, derivation = number.what, None
    if number.what in _SUMMARIES and number.unit in _SUV_BY_UNIT:
        name, derivation = _SUV_BY_UNIT[number.unit], _SUMMARIES[number.what]
    method = None
    if number.definition:
        method = Code(f"d-{digest_of(number.definition)[:12]}", "99ISO", number.definition)
    bounds = None
    if number.low is not None and number.high is not None:
        bounds = MeasurementProperties(
            upper_measurement_uncertainty=number.high, lower_measurement_uncertainty=number.low
        )
    return Num(
        name=maker.coded(name),
        value=number.value,
        unit=maker.coded(Code(number.unit, "UCUM", unit_meaning(number.unit))),
        derivation=maker.coded(derivation) if derivation else None,
        method=maker.coded(method) if method else None,
        properties=bounds,
    )


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(data: bytes) -> Report:
    """What a TID 1500 report says, ours or a stranger's.

    Raises:
        Refused: when the object is not a structured report with imaging measurements.
    """
    with maker.reading("a structured report"):
        found = maker.load(data)
        if found.get("Modality") != "SR" or "ContentSequence" not in found:
            raise Refused(
                f"an object of modality {found.get('Modality', 'none')}",
                "it is not a structured report",
                "choose a structured report (SR)",
            )
        groups = [g for g in _walk(found) if _name(g) == "125007"]
        if not groups and not any(_name(i) == "126010" for i in _walk(found)):
            raise Refused(
                "a structured report without imaging measurements",
                "it is not of template TID 1500",
                "choose a report of measurements",
            )
        observers = found.get("VerifyingObserverSequence", [])
        verified = found.get("VerificationFlag") == "VERIFIED" and observers
        return Report(
            str(found.StudyInstanceUID),
            str(found.SOPInstanceUID),
            tuple(_group(g) for g in groups),
            str(observers[0].VerifyingObserverName) if verified else "",
            found.get("PreliminaryFlag", "PRELIMINARY") != "FINAL",
        )


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from _walk(child)


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence", [])
    return str(names[0].get("CodeValue", "")) if names else ""


def _code(item: Dataset, keyword: str = "ConceptCodeSequence") -> Code:
    held = getattr(item, keyword)[0]
    value = held.get("CodeValue") or held.get("LongCodeValue") or held.get("URNCodeValue", "")
    code = Code(str(value), str(held.get("CodingSchemeDesignator", "")), str(held.get("CodeMeaning", "")))
    return codes.known().get((code.scheme, code.code), code)


def _group(group: Dataset) -> Group:
    finding = Finding(codes.REGION)
    numbers: list[Measurement] = []
    outlines: list[Outline] = []
    images: list[str] = []
    segment, algorithm, absent, identifier = None, ["", ""], False, ""
    for item in group.get("ContentSequence", []):
        kind, name = str(item.ValueType), _name(item)
        if kind == "UIDREF" and name == "112040":
            finding = replace(finding, tracking=str(item.UID))
        elif kind == "TEXT" and name == "112039":
            identifier = str(item.TextValue)
        elif kind == "CODE" and name == _FINDING.code and _code(item) == _ABSENT:
            absent = True
        elif kind == "CODE" and name == _FINDING.code:
            finding = replace(finding, what=_code(item))
        elif kind == "CODE" and name in _SITES:
            sides = [c for c in item.get("ContentSequence", []) if _name(c) in (_LATERALITY, "G-C171")]
            finding = replace(finding, site=_code(item), laterality=_code(sides[0]) if sides else None)
        elif kind == "TEXT" and name == _COMMENT.code:
            finding = replace(finding, words=str(item.TextValue))
        elif kind == "TEXT" and name in (codes.ALGORITHM_NAME.code, codes.ALGORITHM_VERSION.code):
            algorithm[name == codes.ALGORITHM_VERSION.code] = str(item.TextValue)
        elif kind == "NUM" and item.get("MeasuredValueSequence"):
            number = _number(item)
            if number.what == codes.PROBABILITY and 0 <= number.value <= 1 and finding.certainty is None:
                finding = replace(finding, certainty=number.value)
            else:
                numbers.append(number)
        elif kind in ("SCOORD", "SCOORD3D"):
            outlines.append(_outline(item))
        elif kind == "IMAGE":
            reference = item.ReferencedSOPSequence[0]
            if reference.get("ReferencedSegmentNumber") is not None:
                number_of = reference.ReferencedSegmentNumber
                first = int(number_of if isinstance(number_of, int) else number_of[0])
                segment = (str(reference.ReferencedSOPInstanceUID), first)
            else:
                images.append(str(reference.ReferencedSOPInstanceUID))
    if identifier and seg.tracking_uid(identifier) == finding.tracking:
        finding = replace(finding, tracking=identifier)  # ours, which is no UID; the UID followed from it
    return Group(
        replace(finding, measurements=tuple(numbers)),
        segment,
        tuple(outlines),
        tuple(images),
        (algorithm[0], algorithm[1]) if algorithm[0] else None,
        absent,
    )


def _number(item: Dataset) -> Measurement:
    measured = item.MeasuredValueSequence[0]
    value = measured.get("FloatingPointValue")
    what, unit = _code(item, "ConceptNameCodeSequence"), _code(measured, "MeasurementUnitsCodeSequence").code
    low = high = None
    definition = ""
    for child in item.get("ContentSequence", []):
        if str(child.ValueType) == "CODE" and _name(child) == "121401":
            derivation = _code(child)
            ours = [suv for suv, summary in _SUMMARIES.items() if _same(summary, derivation)]
            if ours and any(_same(suv, what) for suv in _SUV_BY_UNIT.values()):
                what = ours[0]
        elif str(child.ValueType) == "CODE" and _name(child) in ("370129005", "G-C036"):
            definition = _code(child).meaning
        elif str(child.ValueType) == "NUM" and _name(child) in (_UPPER, "371886008"):
            high = float(child.MeasuredValueSequence[0].NumericValue)
        elif str(child.ValueType) == "NUM" and _name(child) in (_LOWER, "371885007"):
            low = float(child.MeasuredValueSequence[0].NumericValue)
    exact = float(value) if value is not None else float(measured.NumericValue)
    return Measurement(what, exact, unit, low, high, definition)


def _same(one: Code, other: Code) -> bool:
    return (one.scheme, one.code) == (other.scheme, other.code)


def _outline(item: Dataset) -> Outline:
    kind = str(item.GraphicType)
    values = np.array(item.GraphicData, dtype=np.float64)
    if str(item.ValueType) == "SCOORD3D":
        return Outline(str(item.ReferencedFrameOfReferenceUID), 0, kind, values.reshape(-1, 3))
    for child in item.get("ContentSequence", []):
        if str(child.ValueType) == "IMAGE":
            reference = child.ReferencedSOPSequence[0]
            frames = reference.get("ReferencedFrameNumber")
            frame = 1 if frames is None else int(frames if isinstance(frames, int | str) else frames[0])
            return Outline(str(reference.ReferencedSOPInstanceUID), frame, kind, values.reshape(-1, 2) - 0.5)
    return Outline("", 0, kind, values.reshape(-1, 2) - 0.5)
