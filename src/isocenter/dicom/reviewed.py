"""Attributes of which PS3.15 table E.1-1 says nothing, and that were reviewed here: what they hold names nobody.

Their values are judged all the same (`cleaning`): a person may have been written where a device was meant.
"""

from __future__ import annotations

__all__ = ["DATA", "TECHNICAL"]

_TECHNICAL_WORDS = """
    Manufacturer ManufacturerModelName ManufacturerModelVersion SoftwareVersions ConvolutionKernel FilterType
    SequenceName PulseSequenceName ImagedNucleus Radiopharmaceutical RadiopharmaceuticalRoute ContrastBolusRoute
    AttenuationCorrectionMethod ScatterCorrectionMethod ReconstructionMethod ReceiveCoilName TransmitCoilName StackID
    CodingSchemeDesignator CodingSchemeVersion CodingSchemeRegistry LUTExplanation
    RescaleType ModalityLUTType AlgorithmName AlgorithmVersion SegmentAlgorithmName DimensionDescriptionLabel
    SecondaryCaptureDeviceManufacturer SecondaryCaptureDeviceManufacturerModelName
    SecondaryCaptureDeviceSoftwareVersions TypeOfFilters CollimatorGridName GridAbsorbingMaterial GridSpacingMaterial
    DigitalImageFormatAcquired VideoImageFormatAcquired TriggerSourceOrType CardiacFramingType PVCRejection
    AcquisitionMode DoseModeName PlateType PhosphorType AcquisitionDeviceProcessingCode ProcessingFunction
    DetectorMode DetectorManufacturerName DetectorManufacturerModelName MultiCoilConfiguration MultiCoilElementName
    ReceiveCoilManufacturerName TransmitCoilManufacturerName ApplicationName ApplicationVersion TransducerData
    PixelSpacingCalibrationDescription PositionReferenceIndicator TargetPositionReferenceIndicator EnergyWindowName
    FunctionalGroupPrivateCreator DimensionIndexPrivateCreator SourceIsotopeName OpticalPathIdentifier
    ReferencedOpticalPathIdentifier ImageFilter OutputPower DataSetVersion
    """
TECHNICAL = frozenset(_TECHNICAL_WORDS.split())
"""Attributes with technical words: kept unless they hold an identity of somebody in the object."""

_NUMBERS_IN_BULK = """
    RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    AlphaPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData SegmentedAlphaPaletteColorLookupTableData BlendingLookupTableData LUTData
    VectorGridData PointCoordinatesData VectorCoordinateData DoublePointCoordinatesData LongPrimitivePointIndexList
    LongTrianglePointIndexList LongEdgePointIndexList LongVertexPointIndexList RecommendedDisplayCIELabValueList
    FloatingPointValues TrackPointIndexList AnnotationIndexList ChannelMinimumValue ChannelMaximumValue
    WaveformPaddingValue WaveformData SpectroscopyData VolumetricCurvePoints VolumetricCurveUpDirections
    TwoDimensionalToThreeDimensionalMapData CompensatorProximalThicknessMap CompensatorDistalThicknessMap BlockEdgeData
    """
DATA = frozenset(_NUMBERS_IN_BULK.split())
"""Attributes with numbers in bulk that belong to the image or to its geometry."""
