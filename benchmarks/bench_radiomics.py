"""Radiomics: every IBSI feature of a lung lesion by each configuration, a filter, and peers on the same image.

python benchmarks/bench_radiomics.py [--configurations A,B,C,D,E,3.B] [--repeat 3] [--mirp PYTHON]
    [--pyradiomics PYTHON]

The lesion is in silico and as large as that of the IBSI CT phantom (350 mL; 201 x 204 x 60 voxels). Peers are run by
the Python of an environment of their own, on the same image and mask as NIfTI, with the settings of configuration C.
MIRP is as it is by default, which estimates Moran's I and Geary's C from samples, and reads its files within the time.

Times are the best of several, beside the processor time of all threads: on a busy machine the second is the better one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from isocenter.methods import radiomics

SHAPE, SPACING_MM = (60, 201, 204), (3.0, 0.9765625, 0.9765625)

MIRP = """
import json, sys, time
from mirp import extract_features
image, mask, repeat = sys.argv[1:]
asked = dict(image=image, mask=mask, image_modality="ct", base_feature_families="all", ibsi_compliant=True,
    anti_aliasing=False, new_spacing=2.0, spline_order=1, roi_spline_order=1,
    resegmentation_intensity_range=[-1000., 400.],
    base_discretisation_method="fixed_bin_size", base_discretisation_bin_width=25.0,
    ivh_discretisation_method="fixed_bin_size", ivh_discretisation_bin_width=2.5,
    write_features=False, export_features=True,
    glcm_spatial_method=["3d_average", "3d_volume_merge"], glrlm_spatial_method=["3d_average", "3d_volume_merge"])
walls, cores = [], []
for _ in range(int(repeat)):
    wall, core = time.perf_counter(), time.process_time()
    found = extract_features(**asked)[0]
    walls.append(time.perf_counter() - wall)
    cores.append(time.process_time() - core)
named = {c: float(v) for c, v in found.iloc[0].items() if c.split("_")[0] in
    ("morph", "loc", "stat", "ih", "ivh", "cm", "rlm", "szm", "dzm", "ngt", "ngl")}
print(json.dumps([min(walls), min(cores), len(named), named["stat_mean"]]))
"""

PYRADIOMICS = """
import json, sys, time
import SimpleITK as sitk
from radiomics import featureextractor
image, mask, repeat = sitk.ReadImage(sys.argv[1]), sitk.ReadImage(sys.argv[2]), int(sys.argv[3])
made = featureextractor.RadiomicsFeatureExtractor(
    resampledPixelSpacing=[2, 2, 2], interpolator="sitkLinear", binWidth=25, resegmentRange=[-1000, 400])
walls, cores = [], []
for _ in range(repeat):
    wall, core = time.perf_counter(), time.process_time()
    found = made.execute(image, mask)
    walls.append(time.perf_counter() - wall)
    cores.append(time.process_time() - core)
named = [k for k in found if k.startswith("original_")]
print(json.dumps([min(walls), min(cores), len(named), float(found["original_firstorder_Mean"])]))
"""


def lesion() -> tuple[np.ndarray, np.ndarray]:
    """HU and mask: a lobed lump with clusters, a tube of air, a rib and noise, in lung."""
    rng = np.random.default_rng(4)
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING_MM, strict=True)), indexing="ij")
    fine, coarse = (gaussian_filter(rng.normal(size=SHAPE), s) for s in ((0.7, 1.5, 1.5), (3.0, 9.0, 9.0)))
    fine, coarse = fine / fine.std(), coarse / coarse.std()
    radius = np.sqrt(((x - 95) / 46) ** 2 + ((y - 100) / 44) ** 2 + ((z - 90) / 38) ** 2)
    angle = np.arctan2(y - 100, x - 95)
    border = 1 + 0.08 * np.cos(3 * angle) + 0.05 * np.sin(5 * angle + z / 9)
    inside = radius < border
    hu = np.where(inside, 40 + 30 * coarse, -820 + 60 * coarse) + 25 * fine
    hu[(np.abs(x - 120) < 8) & (np.abs(z - 90) < 30) & inside] = -900
    hu[np.hypot(x - 70, z - 70) < 5] = 650
    return np.rint(np.clip(hu, -1000, 3000)).astype(np.float32), radius < 1.02 * border


def timed(work: Callable[[], dict[str, float]], repeat: int) -> tuple[float, float, dict[str, float]]:
    """(best wall, best processor) seconds after one run to warm up, and what was found."""
    found = work()
    walls, cores = [], []
    for _ in range(repeat):
        wall, core = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return min(walls), min(cores), found


def peer(python: str, script: str, image: Path, mask: Path, repeat: int) -> list[float]:
    """[best wall, best processor, features, mean HU] of a peer."""
    ran = subprocess.run(
        [python, "-c", script, str(image), str(mask), str(repeat)], capture_output=True, text=True, check=True
    )
    return [float(v) for v in json.loads(ran.stdout.strip().splitlines()[-1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", default="A,B,C,D,E,3.B")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--mirp", default="", help="Python of an environment with MIRP")
    parser.add_argument("--pyradiomics", default="", help="Python of an environment with PyRadiomics")
    chosen = parser.parse_args()
    hu, mask = lesion()
    print("| program | configuration | features | mean | best wall s | best processor s |")
    print("|---|---|---|---|---|---|")
    for name in chosen.configurations.split(","):
        wall, core, found = timed(lambda name=name: radiomics.extract(hu, mask, SPACING_MM, name), chosen.repeat)
        print(f"| Isocenter | {name} | {len(found)} | {found['stat_mean']:.2f} | {wall:.3f} | {core:.3f} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        image, drawn = Path(folder) / "image.nii.gz", Path(folder) / "mask.nii.gz"
        affine = np.diag([*SPACING_MM[::-1], 1.0])
        nib.save(nib.Nifti1Image(hu.T, affine), image)
        nib.save(nib.Nifti1Image(mask.T.astype(np.uint8), affine), drawn)
        for program, python, script in (
            ("MIRP", chosen.mirp, MIRP),
            ("PyRadiomics", chosen.pyradiomics, PYRADIOMICS),
        ):
            if python:
                wall, core, count, mean = peer(python, script, image, drawn, chosen.repeat)
                print(f"| {program} | C | {count:.0f} | {mean:.2f} | {wall:.3f} | {core:.3f} |", flush=True)


if __name__ == "__main__":
    main()
