"""Coded words: (code, scheme, meaning), as DICOM, SNOMED CT, RadLex and UCUM write them.

Only codes that the project itself writes stand here, one line each, so that a reader of our objects can look every
one up. SNOMED CT codes are those of the DICOM subset (PS3.16), whose use in DICOM is free of licence; the scheme
``99ISO`` holds our own words for what no public scheme has a code for yet.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Code", "UNITS", "known"]


@dataclass(frozen=True)
class Code:
    """One coded word.

    >>> str(Code("39607008", "SCT", "Lung"))
    'Lung'
    """

    code: str
    scheme: str
    meaning: str

    def __str__(self) -> str:
        return self.meaning


_DCM, _SCT, _LN, _ISO = "DCM", "SCT", "LN", "99ISO"

# ---- findings
OPACITY = Code("112001", _DCM, "Opacity")
ABNORMAL_UPTAKE = Code("increased-uptake", _ISO, "Increased uptake")
FINDING = Code("121071", _DCM, "Finding")
LESION = Code("52988006", _SCT, "Lesion")
NEOPLASM = Code("108369006", _SCT, "Neoplasm")
STRUCTURE = Code("91723000", _SCT, "Anatomical Structure")
REGION = Code("111030", _DCM, "Image Region")
QUALITY_ISSUE = Code("111101", _DCM, "Image Quality")
ISCHEMIC_CORE = Code("ischemic-core", _ISO, "Ischemic core")
PENUMBRA = Code("isch-penumbra", _ISO, "Ischemic penumbra")
ARTERIAL_INPUT = Code("arterial-input", _ISO, "Arterial input")
VENOUS_OUTPUT = Code("venous-output", _ISO, "Venous output")
HEADER_MISMATCH = Code("header-mismatch", _ISO, "Image is not what its header says")

CORONARY_CALCIFICATION = Code("237897009", _SCT, "Vascular Calcification")

STEATOSIS = Code("fatty-liver", _ISO, "Fat in the liver")
ENHANCEMENT = Code("enhancement", _ISO, "Enhancing tissue")
LOW_MUSCLE = Code("low-muscle", _ISO, "Little skeletal muscle")
LOW_MUSCLE_ATTENUATION = Code("fatty-muscle", _ISO, "Low attenuation of skeletal muscle")
VISCERAL_OBESITY = Code("visceral-obesity", _ISO, "Much visceral fat")
LIVER_IRON_EXCESS = Code("iron-excess", _ISO, "Iron excess in the liver")

BLOOD_VESSEL = Code("59820001", _SCT, "Blood Vessel")

# ---- sites and sides
LIVER = Code("10200004", _SCT, "Liver")
LUNG = Code("39607008", _SCT, "Lung")
CHEST = Code("816094009", _SCT, "Chest")
HEART = Code("80891009", _SCT, "Heart")
BRAIN = Code("12738006", _SCT, "Brain")
BODY = Code("38266002", _SCT, "Entire body")
LEFT_VENTRICLE = Code("87878005", _SCT, "Left ventricle")
CORONARY_ARTERY = Code("41801008", _SCT, "Coronary artery")
LEFT_MAIN = Code("3227004", _SCT, "Left Main Coronary Artery")
LAD = Code("59438005", _SCT, "Left Anterior Descending Coronary Artery")
CIRCUMFLEX = Code("57396003", _SCT, "Circumflex Coronary Artery")
RCA = Code("13647002", _SCT, "Right Coronary Artery")
LEFT = Code("7771000", _SCT, "Left")
RIGHT = Code("24028007", _SCT, "Right")
BOTH = Code("51440002", _SCT, "Bilateral")

# ---- measurements
VOLUME = Code("118565006", _SCT, "Volume")
LENGTH = Code("410668003", _SCT, "Length")
LONG_AXIS = Code("103339001", _SCT, "Long axis")
SHORT_AXIS = Code("103340004", _SCT, "Short axis")
DIAMETER = Code("81827009", _SCT, "Diameter")
AREA = Code("42798000", _SCT, "Area")
ANGLE = Code("1483009", _SCT, "Angle")
COUNT = Code("246205007", _SCT, "Quantity")
MEAN = Code("373098007", _SCT, "Mean")
MAXIMUM = Code("56851009", _SCT, "Maximum")
MINIMUM = Code("255605001", _SCT, "Minimum")
STANDARD_DEVIATION = Code("386136009", _SCT, "Standard Deviation")
PROBABILITY = Code("122157", _DCM, "Probability")
SUVBW = Code("126401", _DCM, "SUVbw")
SUVLBM = Code("126402", _DCM, "SUVlbm")
SUVBSA = Code("126403", _DCM, "SUVbsa")
SUVIBW = Code("126404", _DCM, "SUVibw")
SUV_MAX = Code("suv-max", _ISO, "SUVmax")
SUV_PEAK = Code("suv-peak", _ISO, "SUVpeak")
SUV_MEAN = Code("suv-mean", _ISO, "SUVmean")
MTV = Code("126032", _DCM, "Metabolic Volume")
TLG = Code("126033", _DCM, "Total Lesion Glycolysis")
SURFACE_AREA = Code("surface-area", _ISO, "Surface area")
COMPONENTS = Code("component-count", _ISO, "Number of connected components")
SIGNAL_TO_NOISE = Code("111787", _DCM, "Signal to Noise Ratio")
CBF = Code("113055", _DCM, "Regional Cerebral Blood Flow")
CBV = Code("113056", _DCM, "Regional Cerebral Blood Volume")
RELATIVE_CBF = Code("126397", _DCM, "Relative Regional Blood Flow")
RELATIVE_CBV = Code("126398", _DCM, "Relative Regional Blood Volume")
MTT = Code("113052", _DCM, "Mean Transit Time")
TTP = Code("113069", _DCM, "Time To Peak")
TMAX = Code("113084", _DCM, "Tmax")
MISMATCH_VOLUME = Code("mismatch-volume", _ISO, "Mismatch volume")
MISMATCH_RATIO = Code("mismatch-ratio", _ISO, "Mismatch ratio")
HYPOPERFUSION_INTENSITY = Code("hypoperf-ratio", _ISO, "Hypoperfusion intensity ratio")
TRIAL_RULE = Code("trial-rule", _ISO, "Imaging rule of a trial met")
HEAD_MOTION = Code("head-motion", _ISO, "Head motion")
SCORE = Code("choice-score", _ISO, "Score of a choice")
WIDTH = Code("curve-width", _ISO, "Width of a curve")

FAT_FRACTION = Code("129100", _DCM, "Fat fraction")
PDFF = Code("pdff", _ISO, "Proton density fat fraction")
R2_STAR = Code("126395", _DCM, "R2*")
LIVER_IRON = Code("liver-iron", _ISO, "Liver iron concentration, dry weight")
KTRANS = Code("126312", _DCM, "Ktrans")
VE = Code("126314", _DCM, "ve")
VP = Code("126331", _DCM, "vp")
T1 = Code("113063", _DCM, "T1")
PERMEABILITY_SURFACE = Code("permeability-ps", _ISO, "Permeability surface area product")
PLASMA_FLOW = Code("plasma-flow", _ISO, "Plasma flow")
ARRIVAL_DELAY = Code("arrival-delay", _ISO, "Delay of arrival")
SKELETAL_MUSCLE = Code("127954009", _SCT, "Skeletal muscle")
VISCERAL_FAT = Code("visceral-fat", _ISO, "Visceral fat")
SUBCUTANEOUS_FAT = Code("subcut-fat", _ISO, "Subcutaneous fat")
INTERMUSCULAR_FAT = Code("intermuscular", _ISO, "Intermuscular fat")
THIRD_LUMBAR = Code("36470004", _SCT, "L3 vertebra")
MUSCLE_INDEX = Code("muscle-index", _ISO, "Skeletal muscle index")
MUSCLE_ATTENUATION = Code("muscle-hu", _ISO, "Attenuation of skeletal muscle")
FAT_RATIO = Code("visceral-ratio", _ISO, "Visceral to subcutaneous fat")
STANDARD_VOLUME = Code("standard-liver", _ISO, "Standard liver volume")
LIVER_SHARE = Code("liver-share", _ISO, "Share of liver volume")
VESSEL_FRACTION = Code("vessel-fraction", _ISO, "Vessel volume fraction")
CENTRE_LINE = Code("centre-line", _ISO, "Length of centre lines")
BRANCH_POINTS = Code("branch-points", _ISO, "Branch points")
VESSEL_RADIUS = Code("vessel-radius", _ISO, "Radius of vessels")
TORTUOSITY = Code("15690004", _SCT, "tortuosity")
FRACTAL_DIMENSION = Code("fractal-dim", _ISO, "Fractal dimension of centre lines")
EXCLUDED_SHARE = Code("excluded-share", _ISO, "Share of a region that was left out")

# ---- measurements of the heart
LV_EDV = Code("8821-1", _LN, "Left Ventricular ED Volume")
LV_ESV = Code("8823-7", _LN, "Left Ventricular ES Volume")
LV_EF = Code("8811-2", _LN, "Left ventricular ejection fraction by MR")
LV_MASS = Code("18087-7", _LN, "Left Ventricle Mass")
STROKE_VOLUME = Code("90096001", _SCT, "Stroke Volume")
CARDIAC_OUTPUT = Code("82799009", _SCT, "Cardiac Output")
PEAK_EJECTION_RATE = Code("122616", _DCM, "Peak Ejection Rate")
PEAK_FILLING_RATE = Code("122618", _DCM, "Peak Filling Rate")
TIME_TO_PEAK_FILLING = Code("peak-fill-time", _ISO, "Time from end-systole to peak filling")
WALL_THICKNESS = Code("122445", _DCM, "Wall Thickness")
WALL_THICKENING = Code("lv-thickening", _ISO, "Left ventricular wall thickening")
CALCIUM_SCORE = Code("450360000", _SCT, "Coronary artery calcium score")
CALCIUM_VOLUME = Code("112197", _DCM, "Volume of Vascular Calcification")
CALCIUM_MASS = Code("112199", _DCM, "Mass of Vascular Calcification")
CALCIUM_DENSITY = Code("calcium-density", _ISO, "Density of coronary calcium")
CARDIOVASCULAR_RISK = Code("395112001", _SCT, "Cardiovascular event risk (finding)")

# ---- measurements of flowing blood
FORWARD_FLOW = Code("forward-flow", _ISO, "Forward flow of a beat")
BACKWARD_FLOW = Code("backward-flow", _ISO, "Backward flow of a beat")
NET_FLOW = Code("net-flow", _ISO, "Net flow of a beat")
NET_FLOW_RATE = Code("net-flow-rate", _ISO, "Net flow in a minute")
REGURGITANT_FRACTION = Code("399301000", _SCT, "Regurgitant Fraction")
FLOW_RATIO = Code("flow-ratio", _ISO, "Pulmonary to systemic flow")
FLOW_SPREAD = Code("flow-spread", _ISO, "Spread of net flow between planes")
PEAK_VELOCITY = Code("122207", _DCM, "Blood velocity, peak")
PEAK_GRADIENT = Code("20247-3", _LN, "Peak Gradient")
PRESSURE_DROP = Code("pressure-drop", _ISO, "Pressure drop along a vessel")
KINETIC_ENERGY = Code("kinetic-energy", _ISO, "Kinetic energy of blood")
VISCOUS_LOSS = Code("viscous-loss", _ISO, "Viscous energy loss of blood")
VORTICITY = Code("vorticity", _ISO, "Vorticity of blood")
WALL_SHEAR = Code("wall-shear", _ISO, "Wall shear stress")
SHEAR_OSCILLATION = Code("shear-osc-index", _ISO, "Oscillatory shear index")
BACKGROUND_VELOCITY = Code("background-vel", _ISO, "Velocity of stationary tissue")

# ---- words that forms need
ALGORITHM_NAME = Code("111001", _DCM, "Algorithm Name")
ALGORITHM_VERSION = Code("111003", _DCM, "Algorithm Version")

UNITS: dict[str, str] = {
    "mL": "milliliter",
    "mm": "millimeter",
    "cm": "centimeter",
    "mm2": "square millimeter",
    "cm2": "square centimeter",
    "mm3": "cubic millimeter",
    "deg": "degree",
    "s": "second",
    "ms": "millisecond",
    "d": "day",
    "1/s": "per second",
    "/min": "per minute",
    "mmol/L": "millimole per liter",
    "mL/(100.mL)/min": "milliliter per 100 milliliter per minute",
    "%": "percent",
    "1": "no units",
    "{counts}": "counts",
    "{counts}/mL": "counts per milliliter",
    "mm/mL": "millimeter per milliliter",
    "{pixels}": "pixels",
    "{ratio}": "ratio",
    "{score}": "score",
    "{arbitrary}": "arbitrary units",
    "g": "gram",
    "mg": "milligram",
    "mg/g": "milligram per gram",
    "Hz": "hertz",
    "g/m2": "gram per square meter",
    "cm2/m2": "square centimeter per square meter",
    "mL/m2": "milliliter per square meter",
    "mL/s": "milliliter per second",
    "cm/s": "centimeter per second",
    "mm[Hg]": "millimeter of mercury",
    "mJ": "millijoule",
    "uJ/mL": "microjoule per milliliter",
    "mW": "milliwatt",
    "Pa": "pascal",
    "L/min": "liter per minute",
    "kg": "kilogram",
    "g/ml": "gram per milliliter",
    "{SUVbw}g/ml": "SUVbw gram per milliliter",
    "{SUVlbm}g/ml": "SUVlbm gram per milliliter",
    "{SUVibw}g/ml": "SUVibw gram per milliliter",
    "{SUVbsa}cm2/ml": "SUVbsa square centimeter per milliliter",
    "Bq/mL": "becquerel per milliliter",
    "[hnsf'U]": "Hounsfield unit",
    "[hnsf'U]2": "square Hounsfield unit",
    "[hnsf'U].mm3": "Hounsfield unit times cubic millimeter",
    "{SUVbw}g2/ml2": "square SUVbw gram per milliliter",
    "{SUVbw}g.mm3/ml": "SUVbw gram per milliliter times cubic millimeter",
    "1/mm": "per millimeter",
    "dB": "decibel",
    "kPa": "kilopascal",
    "m/s": "meter per second",
    "mL/(100.g)/min": "milliliter per 100 gram per minute",
    "mL/(100.g)": "milliliter per 100 gram",
}
"""UCUM units that the project writes, with the meaning that goes into a coded entry."""

_BY_KEY = {(c.scheme, c.code): c for c in list(globals().values()) if isinstance(c, Code)}


def known() -> dict[tuple[str, str], Code]:
    """Every code of this table by (scheme, code); an analysis may bring others, but never the same with other words."""
    return dict(_BY_KEY)
