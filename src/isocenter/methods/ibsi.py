"""The features of radiomics by the names that IBSI gave them: tag, permanent code, name and unit.

A tag is the short name of the reference tables (``cm_joint_entr_3D_comb``); its ending is the merge strategy, which is
a part of the name, because another strategy is another feature. A code (``TU9B``) is permanent and names the feature
whatever the strategy; strategies have codes of their own (``IAZD``).

Source: Zwanenburg et al., Image biomarker standardisation initiative, arXiv:1612.07003 (reference manual); Zwanenburg
et al., Radiology 295 (2020) 328.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.errors import Refused

__all__ = ["FEATURES", "MERGES", "Feature", "feature"]


@dataclass(frozen=True)
class Feature:
    """One feature as IBSI names it.

    Args:
        tag: short name without merge strategy.
        code: permanent code of the feature.
        name: in words.
        unit: what it is measured in: ``i`` (unit of the image), ``i2`` (its square), ``i.mm3``, ``mm``, ``mm2``,
            ``mm3``, ``/mm``, or ``1``.
        merge: ending of the tag, with the leading underscore; empty for families that are not merged.
    """

    tag: str
    code: str
    name: str
    unit: str
    merge: str = ""

    @property
    def strategy(self) -> str:
        """The merge strategy in words with its code; empty where there is none."""
        if not self.merge:
            return ""
        words, code = MERGES[self.merge][0], MERGES[self.merge][1 if self.tag[:3] in ("cm_", "rlm") else 2]
        return f"{words} ({code})"


MERGES: dict[str, tuple[str, str, str]] = {
    "_2D_avg": ("by slice and direction, averaged", "BTW3", ""),
    "_2D_comb": ("directions merged by slice, averaged", "SUJT", ""),
    "_2_5D_avg": ("slices merged by direction, averaged", "JJUI", ""),
    "_2_5D_comb": ("slices and directions merged", "ZW7Z", ""),
    "_3D_avg": ("in three dimensions, averaged over directions", "ITBB", ""),
    "_3D_comb": ("in three dimensions, directions merged", "IAZD", ""),
    "_2D": ("by slice, averaged", "", "8QNN"),
    "_2_5D": ("slices merged", "", "62GR"),
    "_3D": ("in three dimensions", "", "KOBO"),
}
"""Ending of a tag -> (words, code where directions are merged, code where there are none)."""

_TABLE = """
morph_volume RNU0 mm3 Volume (mesh)
morph_vol_approx YEKZ mm3 Volume (voxel counting)
morph_area_mesh C0JK mm2 Surface area (mesh)
morph_av 2PR5 /mm Surface to volume ratio
morph_comp_1 SKGS 1 Compactness 1
morph_comp_2 BQWJ 1 Compactness 2
morph_sph_dispr KRCK 1 Spherical disproportion
morph_sphericity QCFX 1 Sphericity
morph_asphericity 25C7 1 Asphericity
morph_com KLMA mm Centre of mass shift
morph_diam L0JK mm Maximum 3D diameter
morph_pca_maj_axis TDIC mm Major axis length
morph_pca_min_axis P9VJ mm Minor axis length
morph_pca_least_axis 7J51 mm Least axis length
morph_pca_elongation Q3CK 1 Elongation
morph_pca_flatness N17B 1 Flatness
morph_vol_dens_aabb PBX1 1 Volume density (axis-aligned bounding box)
morph_area_dens_aabb R59B 1 Area density (axis-aligned bounding box)
morph_vol_dens_aee 6BDE 1 Volume density (approximate enclosing ellipsoid)
morph_area_dens_aee RDD2 1 Area density (approximate enclosing ellipsoid)
morph_vol_dens_conv_hull R3ER 1 Volume density (convex hull)
morph_area_dens_conv_hull 7T7F 1 Area density (convex hull)
morph_integ_int 99N0 i.mm3 Integrated intensity
morph_moran_i N365 1 Moran's I index
morph_geary_c NPT7 1 Geary's C measure
loc_peak_loc VJGA i Local intensity peak
loc_peak_glob 0F91 i Global intensity peak
stat_mean Q4LE i Mean intensity
stat_var ECT3 i2 Intensity variance
stat_skew KE2A 1 Intensity skewness
stat_kurt IPH6 1 Intensity kurtosis (excess)
stat_median Y12H i Median intensity
stat_min 1GSF i Minimum intensity
stat_p10 QG58 i 10th intensity percentile
stat_p90 8DWT i 90th intensity percentile
stat_max 84IY i Maximum intensity
stat_iqr SALO i Intensity interquartile range
stat_range 2OJQ i Intensity range
stat_mad 4FUA i Intensity mean absolute deviation
stat_rmad 1128 i Intensity robust mean absolute deviation
stat_medad N72L i Intensity median absolute deviation
stat_cov 7TET 1 Intensity coefficient of variation
stat_qcod 9S40 1 Intensity quartile coefficient of dispersion
stat_energy N8CA i2 Intensity energy
stat_rms 5ZWQ i Root mean square intensity
ih_mean X6K6 1 Mean discretised intensity
ih_var CH89 1 Discretised intensity variance
ih_skew 88K1 1 Discretised intensity skewness
ih_kurt C3I7 1 Discretised intensity kurtosis (excess)
ih_median WIFQ 1 Median discretised intensity
ih_min 1PR8 1 Minimum discretised intensity
ih_p10 GPMT 1 10th discretised intensity percentile
ih_p90 OZ0C 1 90th discretised intensity percentile
ih_max 3NCY 1 Maximum discretised intensity
ih_mode AMMC 1 Intensity histogram mode
ih_iqr WR0O 1 Discretised intensity interquartile range
ih_range 5Z3W 1 Discretised intensity range
ih_mad D2ZX 1 Intensity histogram mean absolute deviation
ih_rmad WRZB 1 Intensity histogram robust mean absolute deviation
ih_medad 4RNL 1 Intensity histogram median absolute deviation
ih_cov CWYJ 1 Intensity histogram coefficient of variation
ih_qcod SLWD 1 Intensity histogram quartile coefficient of dispersion
ih_entropy TLU2 1 Discretised intensity entropy
ih_uniformity BJ5W 1 Discretised intensity uniformity
ih_max_grad 12CE 1 Maximum histogram gradient
ih_max_grad_g 8E6O 1 Maximum histogram gradient intensity
ih_min_grad VQB3 1 Minimum histogram gradient
ih_min_grad_g RHQZ 1 Minimum histogram gradient intensity
ivh_v10 NK6P 1 Volume fraction at 10 % intensity
ivh_v90 4279 1 Volume fraction at 90 % intensity
ivh_i10 PWN1 i Intensity at 10 % volume
ivh_i90 BOHI i Intensity at 90 % volume
ivh_diff_v10_v90 WITY 1 Volume fraction difference between 10 % and 90 % intensity
ivh_diff_i10_i90 JXJA i Intensity difference between 10 % and 90 % volume
cm_joint_max GYBY 1 Joint maximum
cm_joint_avg 60VM 1 Joint average
cm_joint_var UR99 1 Joint variance
cm_joint_entr TU9B 1 Joint entropy
cm_diff_avg TF7R 1 Difference average
cm_diff_var D3YU 1 Difference variance
cm_diff_entr NTRS 1 Difference entropy
cm_sum_avg ZGXS 1 Sum average
cm_sum_var OEEB 1 Sum variance
cm_sum_entr P6QZ 1 Sum entropy
cm_energy 8ZQL 1 Angular second moment
cm_contrast ACUI 1 Contrast (co-occurrence)
cm_dissimilarity 8S9J 1 Dissimilarity
cm_inv_diff IB1Z 1 Inverse difference
cm_inv_diff_norm NDRX 1 Normalised inverse difference
cm_inv_diff_mom WF0Z 1 Inverse difference moment
cm_inv_diff_mom_norm 1QCO 1 Normalised inverse difference moment
cm_inv_var E8JP 1 Inverse variance
cm_corr NI2N 1 Correlation
cm_auto_corr QWB0 1 Autocorrelation
cm_clust_tend DG8W 1 Cluster tendency
cm_clust_shade 7NFM 1 Cluster shade
cm_clust_prom AE86 1 Cluster prominence
cm_info_corr1 R8DG 1 Information correlation 1
cm_info_corr2 JN9H 1 Information correlation 2
rlm_sre 22OV 1 Short runs emphasis
rlm_lre W4KF 1 Long runs emphasis
rlm_lgre V3SW 1 Low grey level run emphasis
rlm_hgre G3QZ 1 High grey level run emphasis
rlm_srlge HTZT 1 Short run low grey level emphasis
rlm_srhge GD3A 1 Short run high grey level emphasis
rlm_lrlge IVPO 1 Long run low grey level emphasis
rlm_lrhge 3KUM 1 Long run high grey level emphasis
rlm_glnu R5YN 1 Grey level non-uniformity (runs)
rlm_glnu_norm OVBL 1 Normalised grey level non-uniformity (runs)
rlm_rlnu W92Y 1 Run length non-uniformity
rlm_rlnu_norm IC23 1 Normalised run length non-uniformity
rlm_r_perc 9ZK5 1 Run percentage
rlm_gl_var 8CE5 1 Grey level variance (runs)
rlm_rl_var SXLW 1 Run length variance
rlm_rl_entr HJ9O 1 Run entropy
szm_sze 5QRC 1 Small zone emphasis
szm_lze 48P8 1 Large zone emphasis
szm_lgze XMSY 1 Low grey level emphasis (size zones)
szm_hgze 5GN9 1 High grey level emphasis (size zones)
szm_szlge 5RAI 1 Small zone low grey level emphasis
szm_szhge HW1V 1 Small zone high grey level emphasis
szm_lzlge YH51 1 Large zone low grey level emphasis
szm_lzhge J17V 1 Large zone high grey level emphasis
szm_glnu JNSA 1 Grey level non-uniformity (size zones)
szm_glnu_norm Y1RO 1 Normalised grey level non-uniformity (size zones)
szm_zsnu 4JP3 1 Zone size non-uniformity
szm_zsnu_norm VB3A 1 Normalised zone size non-uniformity
szm_z_perc P30P 1 Zone percentage (size zones)
szm_gl_var BYLV 1 Grey level variance (size zones)
szm_zs_var 3NSA 1 Zone size variance
szm_zs_entr GU8N 1 Zone size entropy
dzm_sde 0GBI 1 Small distance emphasis
dzm_lde MB4I 1 Large distance emphasis
dzm_lgze S1RA 1 Low grey level emphasis (distance zones)
dzm_hgze K26C 1 High grey level emphasis (distance zones)
dzm_sdlge RUVG 1 Small distance low grey level emphasis
dzm_sdhge DKNJ 1 Small distance high grey level emphasis
dzm_ldlge A7WM 1 Large distance low grey level emphasis
dzm_ldhge KLTH 1 Large distance high grey level emphasis
dzm_glnu VFT7 1 Grey level non-uniformity (distance zones)
dzm_glnu_norm 7HP3 1 Normalised grey level non-uniformity (distance zones)
dzm_zdnu V294 1 Zone distance non-uniformity
dzm_zdnu_norm IATH 1 Normalised zone distance non-uniformity
dzm_z_perc VIWW 1 Zone percentage (distance zones)
dzm_gl_var QK93 1 Grey level variance (distance zones)
dzm_zd_var 7WT1 1 Zone distance variance
dzm_zd_entr GBDU 1 Zone distance entropy
ngt_coarseness QCDE 1 Coarseness
ngt_contrast 65HE 1 Contrast (tone difference)
ngt_busyness NQ30 1 Busyness
ngt_complexity HDEZ 1 Complexity
ngt_strength 1X9X 1 Strength
ngl_lde SODN 1 Low dependence emphasis
ngl_hde IMOQ 1 High dependence emphasis
ngl_lgce TL9H 1 Low grey level count emphasis
ngl_hgce OAE7 1 High grey level count emphasis
ngl_ldlge EQ3F 1 Low dependence low grey level emphasis
ngl_ldhge JA6D 1 Low dependence high grey level emphasis
ngl_hdlge NBZI 1 High dependence low grey level emphasis
ngl_hdhge 9QMG 1 High dependence high grey level emphasis
ngl_glnu FP8K 1 Grey level non-uniformity (dependence)
ngl_glnu_norm 5SPA 1 Normalised grey level non-uniformity (dependence)
ngl_dcnu Z87G 1 Dependence count non-uniformity
ngl_dcnu_norm OKJI 1 Normalised dependence count non-uniformity
ngl_dc_perc 6XV8 1 Dependence count percentage
ngl_gl_var 1PFV 1 Grey level variance (dependence)
ngl_dc_var DNX2 1 Dependence count variance
ngl_dc_entr FCBV 1 Dependence count entropy
ngl_dc_energy CAS9 1 Dependence count energy
"""


def _read() -> dict[str, Feature]:
    rows = (line.split(maxsplit=3) for line in _TABLE.strip().splitlines())
    return {tag: Feature(tag, code, name, unit) for tag, code, unit, name in rows}


FEATURES: dict[str, Feature] = _read()
"""Tag without merge strategy -> feature, in the order of the manual."""


def feature(tag: str) -> Feature:
    """The feature of a tag, its merge strategy included.

    >>> found = feature("cm_joint_entr_3D_comb")
    >>> found.code, found.name, found.strategy
    ('TU9B', 'Joint entropy', 'in three dimensions, directions merged (IAZD)')

    Raises:
        Refused: when IBSI has no such feature.
    """
    if tag in FEATURES:
        return FEATURES[tag]
    for merge in MERGES:
        known = FEATURES.get(tag.removesuffix(merge))
        if tag.endswith(merge) and known is not None:
            return Feature(known.tag, known.code, known.name, known.unit, merge)
    raise Refused(f"no feature '{tag}'", "IBSI 1 names none like it", "see the table in methods.ibsi")
