"""The rules by which slices, phases and outlines are chosen, on painted ventricles of known size."""

from dataclasses import replace
from threading import local
from types import SimpleNamespace

import numpy as np
import pytest
from painted_ventricle import Reader, ask, beating, cine

from isocenter.errors import Refused
from isocenter.methods import ventricle
from isocenter.methods.short_axis import turned
from isocenter.methods.ventricle import WINDOW, Outlined, outline, parts


def volume_ml(radii: np.ndarray, apart: float = 10.0) -> np.ndarray:
    return (np.pi * radii**2).sum(axis=1) * apart / 1000.0


def test_volumes_phases_and_slices() -> None:
    radii = beating()
    found = outline(turned(cine(radii)), ask)
    truth = volume_ml(radii)
    assert (found.ed, found.es) == (0, int(truth.argmin())) or truth[found.ed] == pytest.approx(truth.max(), rel=0.01)
    assert found.volumes_ml[found.ed] == pytest.approx(truth.max(), rel=0.02)
    assert found.volumes_ml[found.es] == pytest.approx(truth.min(), rel=0.03)
    assert found.volumes_ml == pytest.approx(truth, rel=0.12)
    assert found.slices["ed"] == tuple(range(2, 10)) and not found.open_base and not found.open_apex
    assert found.agreement > 0.95
    muscle = float(found.muscle["ed"].sum()) * 0.0225
    ring = (np.pi * ((radii[0] + 9) ** 2 - radii[0] ** 2) * (radii[0] > 0)).sum() / 100.0
    assert muscle == pytest.approx(ring, rel=0.04)


@pytest.mark.parametrize("turn", [0, 5, 9])
def test_of_phases_that_the_coarse_look_does_not_tell_apart_the_middle_one_is_end_systole(turn: int) -> None:
    radii = beating()
    least = int(volume_ml(radii).argmin())
    radii[least - 3 : least + 4] = radii[least]
    radii[least + 3] *= 0.999  # by chance the last of them
    found = outline(turned(cine(np.roll(radii, turn, axis=0))), ask)
    assert found.es == (least + turn) % len(radii)


def test_no_more_is_asked_than_needed() -> None:
    """Two windows where they agree, four where not, and the other phases only about what the first one showed."""
    asked: list[tuple[int, ...]] = []
    turn = local()  # the windows of one phase are asked on one thread

    def torn(slices: np.ndarray) -> np.ndarray:
        asked.append(slices.shape)
        turn.taken = getattr(turn, "taken", 0) + (slices.shape[-1] > 72)
        return np.roll(ask(slices), how * (turn.taken % 2), axis=3)

    radii = beating() * 0.7
    radii[:, 9] = 0.0  # the tip, so thin that only the fine windows show it
    wide, windows = {}, {}
    for how in (0, 3):
        asked.clear()
        found = outline(turned(cine(radii)), torn)
        assert found.agreement > 0.85 and (found.agreement > 0.95) is (how == 0)
        windows[how] = sum(shape[-1] > 72 for shape in asked)
        wide[how] = {shape[-1] for shape in asked if shape[-1] <= 72}
    assert windows == {0: 4, 3: 8}
    assert max(wide[0]) == 72 and min(wide[0]) < 72
    asked.clear()
    found = outline(turned(cine(beating() * 0.7)), torn)
    fine = [shape[0] for shape in asked if shape[-1] > 72]
    # A tip that the coarse look missed ends the nine slices that the first two windows showed: each is shown the two
    # that are left, and the next two windows all of them, at both ends of the beat.
    assert (fine.count(9), fine.count(1), fine.count(11)) == (4, 8, 4) and len(fine) == 16
    assert found.slices == {"ed": tuple(range(2, 10)), "es": tuple(range(2, 10))}


def test_slices_beyond_the_first_phase_s_ventricle_are_asked_where_it_reaches_them() -> None:
    asked: list[tuple[int, ...]] = []

    def counted(slices: np.ndarray) -> np.ndarray:
        asked.append(slices.shape)
        return ask(slices)

    whole = beating(slices=14)  # a ventricle in slices 2 to 9 of all phases
    outline(turned(cine(whole)), counted)
    later = [shape[0] for shape in asked if shape[-1] < 72]
    large = volume_ml(whole)[1:] >= 0.95 * volume_ml(whole).max()
    assert later.count(8) == 15 and later.count(1) == 2 * large.sum() < 15 and set(later) == {8, 1}
    assert {shape[0] for shape in asked if shape[-1] > 72} == {10}  # and one beyond it at both ends, in fine pixels
    asked.clear()
    longer = beating(first=1)
    longer[0, 1:3] = 0.0  # the first phase shows it from slice 3 on
    found = outline(turned(cine(longer)), counted)
    assert found.slices["ed"][0] == 1 and found.ed != 0
    assert found.areas_mm2[found.ed, 1] == pytest.approx(np.pi * longer[found.ed, 1] ** 2, rel=0.06)
    base = 2 * 15  # slices 2 and 1, which all the other phases show, each alone
    large = volume_ml(longer)[1:] >= 0.95 * volume_ml(longer).max()
    assert sum(shape[0] == 1 for shape in asked) - base == large.sum() < 15  # beyond the apex
    assert (found.areas_mm2[:, 1] > 0).all()


@pytest.mark.parametrize("phases", [20, 25, 30])
@pytest.mark.parametrize("turn", [0, 3])
def test_of_many_phases_every_second_is_looked_at_and_those_near_both_ends(
    phases: int, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []

    def counted(slices: np.ndarray) -> np.ndarray:
        asked.append(slices.shape)
        return ask(slices)

    radii = np.roll(beating(phases), turn, axis=0)
    found = outline(turned(cine(radii)), counted)
    few = sum(shape[0] for shape in asked if shape[-1] <= 72)
    monkeypatch.setattr(ventricle, "_MANY", phases + 1)
    asked.clear()
    every = outline(turned(cine(radii)), counted)
    assert few < 0.85 * sum(shape[0] for shape in asked if shape[-1] <= 72)
    assert (found.ed, found.es, found.agreement, found.span_ml) == (every.ed, every.es, every.agreement, every.span_ml)
    assert all(np.array_equal(found.cavity[end], every.cavity[end]) for end in ("ed", "es"))
    assert found.volumes_ml == pytest.approx(every.volumes_ml, abs=0.03 * np.ptp(every.volumes_ml))


def test_every_phase_is_looked_at_where_the_curve_is_not_smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    radii = beating(20)
    radii[[2, 3, 7, 8, 13, 14], 2:4] = 0.0  # slices that come and go
    found = outline(turned(cine(radii)), ask)
    monkeypatch.setattr(ventricle, "_MANY", 21)
    every = outline(turned(cine(radii)), ask)
    assert found.restless == every.restless > 0.05 and np.array_equal(found.volumes_ml, every.volumes_ml)


def test_a_heart_far_from_the_middle_is_found() -> None:
    radii = beating()
    found = outline(turned(cine(radii, centre=(-35.0, 38.0))), ask)
    assert found.volumes_ml[found.ed] == pytest.approx(volume_ml(radii).max(), rel=0.02)


@pytest.mark.parametrize("spacing", [(8.0, 1.25, 1.25), (10.0, 2.0, 2.0), (6.0, 1.5, 1.5)])
def test_any_spacing(spacing: tuple[float, float, float]) -> None:
    radii = beating()
    found = outline(turned(cine(radii, spacing=spacing)), ask)
    assert found.volumes_ml[found.ed] == pytest.approx(volume_ml(radii, spacing[0]).max(), rel=0.03)


def test_a_basal_slice_needs_half_a_ring() -> None:
    radii = beating()
    for gap, counts in ((0.35, True), (0.65, False)):
        found = outline(turned(cine(radii, gaps={2: gap})), ask)
        assert (2 in found.slices["ed"]) is counts, gap


def test_the_base_comes_down_in_systole_and_never_up() -> None:
    radii = beating()
    small = np.argsort((radii**2).sum(axis=1))[:5]
    radii[small, 1] = 20.0  # an atrium that looks like a ventricle while the ventricle is small
    found = outline(turned(cine(radii)), ask)
    assert found.slices["ed"][0] == 2 and found.slices["es"][0] == 2
    plain = outline(turned(cine(beating())), ask)
    assert found.volumes_ml == pytest.approx(plain.volumes_ml, rel=0.01)


def test_a_basal_slice_much_smaller_than_the_next_is_no_part_of_the_ventricle() -> None:
    radii = beating()
    radii[:, 2] *= 0.5
    assert 2 not in outline(turned(cine(radii)), ask).slices["ed"]


def test_a_second_bright_disk_does_not_count() -> None:
    radii = beating()
    plain, other = cine(radii), cine(radii * 0.3, centre=(-50.0, -60.0))
    both = np.maximum(plain.array, other.array)
    found = outline(turned(plain.like(both, quantity="intensity", unit="1", axes=plain.axes)), ask)
    assert found.volumes_ml[found.ed] == pytest.approx(volume_ml(radii).max(), rel=0.02)


def test_open_ends_are_seen() -> None:
    radii = beating()
    whole = cine(radii)
    base = outline(turned(whole.cropped((3, 0, 0), (11, 128, 128))), ask)
    assert base.open_base and not base.open_apex
    apex = outline(turned(whole.cropped((0, 0, 0), (8, 128, 128))), ask)
    assert apex.open_apex and not apex.open_base


def test_what_is_no_ventricle_is_refused() -> None:
    radii = beating()
    with pytest.raises(Refused, match="nothing moves"):
        outline(turned(cine(np.repeat(radii[:1], 16, axis=0))), ask)
    with pytest.raises(Refused, match="a ventricle in 0 slices"):
        outline(turned(cine(radii, gaps=dict.fromkeys(range(11), 0.9))), ask)
    short = radii.copy()
    short[:, 4:] = 0
    with pytest.raises(Refused, match="crosses more of a short-axis stack"):
        outline(turned(cine(short)), ask)


def test_where_the_border_runs_is_said_within_a_band_alone() -> None:
    radii = beating()
    plain = outline(turned(cine(radii)), ask)

    def moved(outward_mm: float) -> Outlined:
        def border(slices: np.ndarray) -> np.ndarray:
            return (slices[:, 1:2] - 0.75) * 4.0 + outward_mm  # -1 mm in the muscle, 1 mm in the cavity

        return outline(turned(cine(radii)), ask, border)

    assert moved(0.0).volumes_ml == pytest.approx(plain.volumes_ml, rel=0.01)
    # Cavity everywhere, or nowhere: a square of 9 mm is given to it, or taken from it, and no more.
    wide, narrow = moved(90.0), moved(-90.0)
    for end in (plain.ed, plain.es):
        most = np.where(radii > 0, np.pi * radii**2 + 36.0 * radii + 81.0, 0.0)[end].sum() / 100.0
        assert wide.volumes_ml[end] == pytest.approx(most, rel=0.03)
        between = [volume_ml(np.maximum(radii - mm, 0.0))[end] for mm in (6.4, 4.5)]
        assert between[0] < narrow.volumes_ml[end] < between[1]


def test_the_border_is_asked_of_bent_greys_and_the_place_of_those_that_were_sent() -> None:
    """A border that is read off the grey half-way between muscle and blood moves with the contrast, bent or not."""
    sent: list[float] = []
    bordered: list[tuple[int, float]] = []

    def grey(slices: np.ndarray) -> float:
        seen = slices[:, 1]
        return float(np.median(seen[(seen > 0.1) & (seen < 0.6)]))

    def places(slices: np.ndarray) -> np.ndarray:
        if (slices[:, 1] > 0.1).any():  # beyond base and apex there is nothing
            sent.append(grey(slices))
        return np.stack([(slices[:, 1] - 0.5) * 40.0, (slices[:, 1] - 0.1) * 40.0], axis=1).astype(np.float32)

    def border(slices: np.ndarray) -> np.ndarray:
        bordered.append((slices.shape[-1], grey(slices)))
        return ((slices[:, 1:2] - 0.685) * 3.0).astype(np.float32)

    painted = cine(beating())
    dark = replace(painted, array=np.where(painted.array == 0.5, 0.2, painted.array).astype(np.float32))
    found = outline(turned(dark), places, border)
    assert {round(value, 2) for value in sent} == {0.2}
    # 0.2 would have to be bent by 0.618 to become 0.37: bent as far as was learnt, by 0.62, it is 0.369.
    assert [size for size, _ in bordered] == [WINDOW] * 4
    assert [value for _, value in bordered] == pytest.approx([0.369] * 4, abs=0.002)
    assert found.volumes_ml[found.ed] == pytest.approx(volume_ml(beating()).max(), rel=0.03)


def test_each_part_of_the_network_is_asked_alone() -> None:
    given: list[tuple[list[str], dict[str, int]]] = []

    class Counted(Reader):
        def run(self, names: list[str], shown: dict[str, np.ndarray]) -> list[np.ndarray]:
            given.append((names, {name: len(slices) for name, slices in shown.items()}))
            return super().run(names, shown)

    outline(turned(cine(beating())), *parts(Counted()))
    asked = [(names[0], shown) for names, shown in given]
    assert all(shown["border" if name == "logits" else "places"] == 0 for name, shown in asked)
    assert all(shown["places" if name == "logits" else "border"] > 0 for name, shown in asked)
    assert sum(name == "depth_mm" for name, _ in asked) == 4
    older = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="slices")])
    with pytest.raises(Refused, match=r"input\(s\) slices.*isocenter train cardiac_cine"):
        parts(older)
