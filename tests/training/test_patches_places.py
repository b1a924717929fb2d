"""Patches lie where they should: within what sees light, at even places, as their kind says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from training.patches.defect_places import defect_centred_origins
from training.patches.errors import PatchError
from training.patches.places import (
    Area,
    five_crop_origins,
    grid_origins,
    random_origins,
    tile_origins,
)

areas = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(20, 90), st.integers(20, 90))
sizes = st.integers(4, 9).map(lambda half: 2 * half)


def coverage(area: Area, origins: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Count the patches over each photosite, after checking that all are even and within."""
    top, left, height, width = area
    covered = np.zeros((top + height, left + width), np.int64)
    for row, column in origins.tolist():
        assert row % 2 == 0 and column % 2 == 0
        assert row >= top and column >= left
        assert covered[row : row + size, column : column + size].size == size**2
        covered[row : row + size, column : column + size] += 1
    return covered


@given(area=areas, size=sizes)
def test_a_grid_stays_within_never_overlaps_and_wastes_less_than_a_patch(
    area: Area, size: int
) -> None:
    top, left, height, width = area
    origins = grid_origins(area, size)
    assert coverage(area, origins, size).max() == 1
    assert len(origins) == (height - top % 2) // size * ((width - left % 2) // size)


@given(area=areas, size=sizes)
def test_tiles_cover_everything_but_odd_borders_and_overlap_as_little_as_they_can(
    area: Area, size: int
) -> None:
    top, left, height, width = area
    origins = tile_origins(area, size)
    covered = coverage(area, origins, size)
    rows = slice(top + top % 2, (top + height) // 2 * 2)
    columns = slice(left + left % 2, (left + width) // 2 * 2)
    assert (covered[rows, columns] > 0).all()
    sides = [len(range(*one.indices(1000))) for one in (rows, columns)]
    assert len(origins) == -(-sides[0] // size) * -(-sides[1] // size)
    assert len(np.unique(origins, axis=0)) == len(origins)
    np.testing.assert_array_equal(origins, origins[np.lexsort((origins[:, 1], origins[:, 0]))])


@given(area=areas, size=sizes)
def test_five_crops_are_the_corners_and_the_middle(area: Area, size: int) -> None:
    top, left, height, width = area
    origins = five_crop_origins(area, size)
    coverage(area, origins, size)
    corners = origins[[0, 1, 3, 4]]
    distances = np.stack(
        [corners - [top, left], [top + height - size, left + width - size] - corners]
    )
    assert (distances.min(axis=0) <= 1).all()
    middle = origins[2] + size / 2
    assert (np.abs(middle - [top + height / 2, left + width / 2]) <= 2).all()


@given(area=areas, seed=st.integers(0, 1000))
def test_random_patches_are_even_and_visible(area: Area, seed: int) -> None:
    coverage(area, random_origins(np.random.default_rng(seed), area, 16, 50), 16)


def test_a_limited_grid_is_spread_over_the_whole() -> None:
    whole, few = grid_origins((0, 0, 512, 512), 64), grid_origins((0, 0, 512, 512), 64, 5)
    assert len(whole) == 64
    assert len(few) == 5
    np.testing.assert_array_equal(few[[0, -1]], whole[[0, -1]])


def test_patch_sizes_that_lose_the_colour_pattern_or_do_not_fit_are_refused() -> None:
    with pytest.raises(PatchError, match="even"):
        grid_origins((0, 0, 64, 64), 15)
    for places in (grid_origins, five_crop_origins, tile_origins):
        with pytest.raises(PatchError, match="does not fit"):
            places((0, 0, 64, 30), 32)


class TestAroundDefects:
    AREA = (4, 7, 400, 601)

    def defects(self, count: int, seed: int = 0) -> NDArray[np.int64]:
        generator = np.random.default_rng(seed)
        return generator.integers((0, 0), (410, 620), (count, 2))

    @given(seed=st.integers(0, 50), count=st.integers(20, 120), half=st.integers(4, 16))
    def test_half_the_patches_hold_a_defect_in_their_middle_and_half_hold_none(
        self, seed: int, count: int, half: int
    ) -> None:
        defects, size = self.defects(count, seed), 2 * half
        places = defect_centred_origins(self.AREA, size, defects, seed)
        coverage(self.AREA, places.origins, size)
        assert places.has_defect.sum() * 2 == len(places.origins)
        known = {(row, column) for row, column in defects.tolist()}
        for (row, column), has_defect in zip(
            places.origins.tolist(), places.has_defect.tolist(), strict=True
        ):
            inside = [
                (y - row, x - column)
                for y, x in known
                if 0 <= y - row < size and 0 <= x - column < size
            ]
            if has_defect:
                middle = (half - 1) // 2 * 2
                cell = {(middle + y, middle + x) for y in (0, 1) for x in (0, 1)}
                assert cell & set(inside)
                assert abs(middle + 0.5 - (size - 1) / 2) <= 1
            else:
                assert not inside

    def test_every_defect_that_can_be_in_the_middle_is_there_once(self) -> None:
        defects = self.defects(200)
        origins = defect_centred_origins(self.AREA, 32, defects, 0).origins[:-1]
        cells = defects // 2 * 2 - 14
        fits = (cells >= [4, 8]).all(axis=1) & (cells + 32 <= [404, 608]).all(axis=1)
        expected = np.unique(cells[fits], axis=0)
        found = defect_centred_origins(self.AREA, 32, defects, 0)
        np.testing.assert_array_equal(found.origins[found.has_defect], expected)
        assert len(origins) == 2 * len(expected) - 1

    def test_the_place_does_not_tell_defects_from_controls(self) -> None:
        """Neither the marginals nor a forest that is cross-validated over pairs find anything."""
        area = (0, 0, 3000, 4000)
        generator = np.random.default_rng(3)
        # more of them towards one side, as near an amplifier
        defects = (generator.beta(1.0, 1.6, (600, 2)) * (3000, 4000)).astype(np.int64)
        places = defect_centred_origins(area, 32, defects, seed=1)
        with_defect = places.origins[places.has_defect]
        controls = places.origins[~places.has_defect]
        for axis in (0, 1):
            found = stats.ks_2samp(with_defect[:, axis], controls[:, axis])
            assert found.pvalue > 0.05
        pairs = np.tile(np.arange(len(controls)), 2)
        forest = RandomForestClassifier(50, min_samples_leaf=20, random_state=0)
        said = cross_val_predict(
            forest, places.origins, places.has_defect, groups=pairs, cv=GroupKFold(5)
        )
        assert abs((said == places.has_defect).mean() - 0.5) < 0.04

    def test_an_even_spread_of_defects_has_an_even_spread_of_controls_up_to_the_border(
        self,
    ) -> None:
        generator = np.random.default_rng(5)
        defects = generator.integers(0, 1500, (1200, 2))
        places = defect_centred_origins((0, 0, 1500, 1500), 32, defects, seed=2)
        controls = places.origins[~places.has_defect] / 1468
        for axis in (0, 1):
            assert stats.kstest(controls[:, axis], "uniform").pvalue > 0.05

    def test_controls_are_near_their_defects(self) -> None:
        places = defect_centred_origins((0, 0, 3000, 3000), 32, self.defects(60), seed=0)
        half = len(places.origins) // 2
        distances = np.abs(places.origins[:half] - places.origins[half:])
        assert distances.max() <= 4 * 32

    def test_where_defects_crowd_controls_come_from_further_away(self) -> None:
        rows, columns = np.mgrid[0:600:10, 0:600:10]
        crowd = np.stack([rows.ravel(), columns.ravel()], axis=-1)
        places = defect_centred_origins((0, 0, 1200, 1200), 32, crowd, seed=0)
        controls = places.origins[~places.has_defect]
        assert ((controls > 590).any(axis=1)).all()

    def test_a_limit_keeps_the_balance_and_the_spread(self) -> None:
        defects = self.defects(300)
        few = defect_centred_origins(self.AREA, 32, defects, 0, limit=20)
        assert (len(few.origins), few.has_defect.sum()) == (20, 10)
        assert np.ptp(few.origins[:10, 0]) > 300

    def test_the_same_seed_gives_the_same_places(self) -> None:
        first, again, other = (
            defect_centred_origins(self.AREA, 32, self.defects(50), seed) for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first.origins, again.origins)
        assert not np.array_equal(first.origins, other.origins)
        np.testing.assert_array_equal(
            first.origins[first.has_defect], other.origins[other.has_defect]
        )

    def test_what_cannot_be_balanced_is_refused(self) -> None:
        with pytest.raises(PatchError, match="none of 1 defects"):
            defect_centred_origins(self.AREA, 32, np.array([[5, 300]]), 0)
        rows, columns = np.mgrid[0:200:8, 0:200:8]
        everywhere = np.stack([rows.ravel(), columns.ravel()], axis=-1)
        with pytest.raises(PatchError, match="free of defects"):
            defect_centred_origins((0, 0, 200, 200), 32, everywhere, 0)
