"""Published coefficients of cardiovascular risk models, as data. Numbers are facts; each table names its paper.

They were entered from the papers' tables by way of public transcriptions that agree with one another, and hold the
papers' worked examples (tests). PREVENT: Khan et al., Circulation 149 (2024) 430, supplemental tables S12A and S12F.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FRAMINGHAM_2008", "MESA_2015", "PCE_2013", "PREVENT_2023", "SCORE2_2021", "SCORE2_OP_2021"]

# McClelland et al., J Am Coll Cardiol 66 (2015) 1643: coronary heart disease within 10 years.
MESA_2015: Mapping[str, Mapping[str, float]] = {
    "without calcium": {
        "survival": 0.99963, "age": 0.0455, "male": 0.7496, "african_american": -0.2111, "chinese": -0.5055,
        "hispanic": -0.19, "diabetes": 0.5168, "smoker": 0.4732, "cholesterol": 0.0053, "hdl": -0.014,
        "lipid_drug": 0.2473, "systolic": 0.0085, "pressure_drug": 0.3381, "family": 0.4522, "calcium": 0.0,
    },
    "with calcium": {
        "survival": 0.99833, "age": 0.0172, "male": 0.4079, "african_american": 0.0353, "chinese": -0.3475,
        "hispanic": -0.0222, "diabetes": 0.3892, "smoker": 0.3717, "cholesterol": 0.0043, "hdl": -0.0114,
        "lipid_drug": 0.1206, "systolic": 0.0066, "pressure_drug": 0.2278, "family": 0.3239, "calcium": 0.2743,
    },
}  # fmt: skip

# D'Agostino et al., Circulation 117 (2008) 743: cardiovascular disease within 10 years.
FRAMINGHAM_2008: Mapping[str, Mapping[str, float]] = {
    "M": {
        "age": 3.06117, "cholesterol": 1.1237, "hdl": -0.93263, "untreated": 1.93303, "treated": 1.99881,
        "smoker": 0.65451, "diabetes": 0.57367, "mean": 23.9802, "survival": 0.88936,
    },
    "F": {
        "age": 2.32888, "cholesterol": 1.20904, "hdl": -0.70833, "untreated": 2.76157, "treated": 2.82263,
        "smoker": 0.52873, "diabetes": 0.69154, "mean": 26.1931, "survival": 0.95012,
    },
}  # fmt: skip

# Goff et al., Circulation 129 (2014) S49: first hard atherosclerotic event within 10 years.
PCE_2013: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("F", "white"): {
        "survival": 0.9665, "mean": -29.18, "age": -29.799, "age2": 4.884, "cholesterol": 13.54,
        "age_cholesterol": -3.114, "hdl": -13.578, "age_hdl": 3.149, "treated": 2.019, "untreated": 1.957,
        "smoker": 7.574, "age_smoker": -1.665, "diabetes": 0.661,
    },
    ("F", "african_american"): {
        "survival": 0.9533, "mean": 86.61, "age": 17.114, "cholesterol": 0.94, "hdl": -18.92, "age_hdl": 4.475,
        "treated": 29.291, "age_treated": -6.432, "untreated": 27.82, "age_untreated": -6.087, "smoker": 0.691,
        "diabetes": 0.874,
    },
    ("M", "white"): {
        "survival": 0.9144, "mean": 61.18, "age": 12.344, "cholesterol": 11.853, "age_cholesterol": -2.664,
        "hdl": -7.99, "age_hdl": 1.769, "treated": 1.797, "untreated": 1.764, "smoker": 7.837, "age_smoker": -1.795,
        "diabetes": 0.658,
    },
    ("M", "african_american"): {
        "survival": 0.8954, "mean": 19.54, "age": 2.469, "cholesterol": 0.302, "hdl": -0.307, "treated": 1.916,
        "untreated": 1.809, "smoker": 0.549, "diabetes": 0.645,
    },
}  # fmt: skip

# SCORE2 working group, Eur Heart J 42 (2021) 2439, and SCORE2-OP, ibid. 2455: cardiovascular disease within 10 years.
# The order is age, smoker, pressure, diabetes, cholesterol, HDL, then age times each of the last five.
SCORE2_2021: Mapping[str, tuple[float, ...]] = {
    "M": (0.3742, 0.6012, 0.2777, 0.6457, 0.1458, -0.2698, -0.0755, -0.0255, -0.0983, -0.0281, 0.0426),
    "F": (0.4648, 0.7744, 0.3131, 0.8096, 0.1002, -0.2606, -0.1088, -0.0277, -0.1272, -0.0226, 0.0613),
    "survival": (0.9605, 0.9776),
    "M low": (-0.5699, 0.7476), "M moderate": (-0.1565, 0.8009), "M high": (0.3207, 0.936),
    "M very high": (0.5836, 0.8294),
    "F low": (-0.738, 0.7019), "F moderate": (-0.3143, 0.7701), "F high": (0.571, 0.9369),
    "F very high": (0.9412, 0.8329),
}  # fmt: skip
SCORE2_OP_2021: Mapping[str, tuple[float, ...]] = {
    "M": (0.0634, 0.3524, 0.0094, 0.4245, 0.085, -0.3564, -0.0247, -0.0005, -0.0174, 0.0073, 0.0091),
    "F": (0.0789, 0.4921, 0.0102, 0.601, 0.0605, -0.304, -0.0255, -0.0004, -0.0107, -0.0009, 0.0154),
    "survival": (0.7576, 0.8082), "mean": (0.0929, 0.229),
    "M low": (-0.34, 1.19), "M moderate": (0.01, 1.25), "M high": (0.08, 1.15), "M very high": (0.05, 0.7),
    "F low": (-0.52, 1.01), "F moderate": (-0.1, 1.1), "F high": (0.38, 1.09), "F very high": (0.38, 0.69),
}  # fmt: skip

# PREVENT, base model. Key: outcome, years, sex. The order is the constant, then
#   age, age squared, non-HDL, HDL, pressure below and from 110, diabetes, smoker, BMI below and from 30,
#   filtration below and from 60, pressure drug, statin, drug times pressure, statin times non-HDL, then age times
#   non-HDL, HDL, pressure from 110, diabetes, smoker, BMI from 30, filtration below 60.
PREVENT_2023: Mapping[tuple[str, int, str], tuple[float, ...]] = {
    ("CVD", 10, "F"): (
        -3.307728, 0.7939329, 0, 0.0305239, -0.1606857, -0.2394003, 0.3600781, 0.8667604, 0.5360739, 0, 0, 0.6045917,
        0.0433769, 0.3151672, -0.1477655, -0.0663612, 0.1197879, -0.0819715, 0.0306769, -0.0946348, -0.27057,
        -0.078715, 0, -0.1637806,
    ),
    ("CVD", 10, "M"): (
        -3.031168, 0.7688528, 0, 0.0736174, -0.0954431, -0.4347345, 0.3362658, 0.7692857, 0.4386871, 0, 0, 0.5378979,
        0.0164827, 0.288879, -0.1337349, -0.0475924, 0.150273, -0.0517874, 0.0191169, -0.1049477, -0.2251948,
        -0.0895067, 0, -0.1543702,
    ),
    ("ASCVD", 10, "F"): (
        -3.819975, 0.719883, 0, 0.1176967, -0.151185, -0.0835358, 0.3592852, 0.8348585, 0.4831078, 0, 0, 0.4864619,
        0.0397779, 0.2265309, -0.0592374, -0.0395762, 0.0844423, -0.0567839, 0.0325692, -0.1035985, -0.2417542,
        -0.0791142, 0, -0.1671492,
    ),
    ("ASCVD", 10, "M"): (
        -3.500655, 0.7099847, 0, 0.1658663, -0.1144285, -0.2837212, 0.3239977, 0.7189597, 0.3956973, 0, 0, 0.3690075,
        0.0203619, 0.2036522, -0.0865581, -0.0322916, 0.114563, -0.0300005, 0.0232747, -0.0927024, -0.2018525,
        -0.0970527, 0, -0.1217081,
    ),
    ("HF", 10, "F"): (
        -4.310409, 0.8998235, 0, 0, 0, -0.4559771, 0.3576505, 1.038346, 0.583916, -0.0072294, 0.2997706, 0.7451638,
        0.0557087, 0.3534442, 0, -0.0981511, 0, 0, 0, -0.0946663, -0.3581041, -0.1159453, -0.003878, -0.1884289,
    ),
    ("HF", 10, "M"): (
        -3.946391, 0.8972642, 0, 0, 0, -0.6811466, 0.3634461, 0.923776, 0.5023736, -0.0485841, 0.3726929, 0.6926917,
        0.0251827, 0.2980922, 0, -0.0497731, 0, 0, 0, -0.1289201, -0.3040924, -0.1401688, 0.0068126, -0.1797778,
    ),
    ("CVD", 30, "F"): (
        -1.318827, 0.5503079, -0.0928369, 0.0409794, -0.1663306, -0.1628654, 0.3299505, 0.6793894, 0.3196112, 0, 0,
        0.1857101, 0.0553528, 0.2894, -0.075688, -0.056367, 0.1071019, -0.0751438, 0.0301786, -0.0998776, -0.3206166,
        -0.1607862, 0, -0.1450788,
    ),
    ("CVD", 30, "M"): (
        -1.148204, 0.4627309, -0.0984281, 0.0836088, -0.1029824, -0.2140352, 0.2904325, 0.5331276, 0.2141914, 0, 0,
        0.1155556, 0.0603775, 0.232714, -0.0272112, -0.0384488, 0.134192, -0.0511759, 0.0165865, -0.1101437,
        -0.2585943, -0.1566406, 0, -0.1166776,
    ),
    ("ASCVD", 30, "F"): (
        -1.974074, 0.4669202, -0.0893118, 0.1256901, -0.1542255, -0.0018093, 0.322949, 0.6296707, 0.268292, 0, 0,
        0.100106, 0.0499663, 0.1875292, 0.0152476, -0.0276123, 0.0736147, -0.0521962, 0.0316918, -0.1046101,
        -0.2727793, -0.1530907, 0, -0.1299149,
    ),
    ("ASCVD", 30, "M"): (
        -1.736444, 0.3994099, -0.0937484, 0.1744643, -0.120203, -0.0665117, 0.2753037, 0.4790257, 0.1782635, 0, 0,
        -0.0218789, 0.0602553, 0.1421182, 0.0135996, -0.0218265, 0.1013148, -0.0312619, 0.020673, -0.0920935,
        -0.2159947, -0.1548811, 0, -0.0712547,
    ),
    ("HF", 30, "F"): (
        -2.205379, 0.6254374, -0.0983038, 0, 0, -0.3919241, 0.3142295, 0.8330787, 0.3438651, 0.0594874, 0.2525536,
        0.2981642, 0.0667159, 0.333921, 0, -0.0893177, 0, 0, 0, -0.0974299, -0.404855, -0.1982991, -0.0035619,
        -0.1564215,
    ),
    ("HF", 30, "M"): (
        -1.95751, 0.5681541, -0.1048388, 0, 0, -0.4761564, 0.30324, 0.6840338, 0.2656273, 0.0833107, 0.26999,
        0.2541805, 0.0638923, 0.2583631, 0, -0.0391938, 0, 0, 0, -0.1269124, -0.3273572, -0.2043019, -0.0182831,
        -0.1342618,
    ),
}  # fmt: skip
