"""A patch shows what other decoders find at its place on the sensor, whatever file it is from."""

from __future__ import annotations

import io
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import rawpy
import simplejpeg
from PIL import Image

from datastore.catalogue import Catalogue
from datastore.datasets.patch_spec import PatchSpec
from datastore.frames import Frame, read_frame
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.frame_files import manifest, needs_shared_data, real_file
from tests.support.patch_catalogue import (
    COLUMNS,
    ROWS,
    add_ledger,
    fill_with_pictures,
    fill_with_raw_files,
    jpeg_of,
    lit_mosaic,
    picture_of,
)
from tests.support.patch_items import CLASSES, make_items
from training.interventions import mask_defects, mask_variation
from training.patches.cache import FrameCache
from training.patches.crop_offset import find_crop_offset
from training.patches.errors import PatchError
from training.patches.inputs import InputName, Variation, content_of
from training.patches.opening import open_patches
from training.patches.source import PatchArrays, PatchSource, SensorFacts

RAW_FILES = [row for row in manifest("raw") if row["rawpy_ok"] == "True"]
JPEG_FILES = manifest("jpeg")[::4]
TILES = PatchSpec(kind="tiles", size=64)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return new_sqlite_catalogue(tmp_path)


def source_of_file(path: Path, folder: Path, input_name: InputName, spec: PatchSpec) -> PatchSource:
    digest = sha256(path.read_bytes()).hexdigest()
    items = make_items([digest])
    return PatchSource(
        items,
        CLASSES,
        spec=spec,
        input_name=input_name,
        cache=FrameCache(folder / "cache", content_of(input_name)),
        path_of=lambda _: path,
        sensors={items[0].camera: SensorFacts()},
    )


@needs_shared_data
@pytest.mark.shared_data
@pytest.mark.parametrize("row", RAW_FILES, ids=lambda row: Path(row["path"]).name)
def test_patches_of_real_raw_files_are_parts_of_the_raw_image(
    row: dict[str, str], tmp_path: Path
) -> None:
    path = real_file(row)
    spec = PatchSpec(kind="random", size=32, count=40)
    source = source_of_file(path, tmp_path, "raw-mosaic", spec)
    arrays = source.batch(np.arange(40))
    with rawpy.imread(str(path)) as raw:
        image = raw.raw_image.copy()
        sizes = raw.sizes
        levels = raw.black_level_per_channel
        black = np.array([levels[raw.raw_color(y, x)] for y in (0, 1) for x in (0, 1)])
        span = int(raw.white_level) - black.min()
    scale = 2.0 ** -np.ceil(np.log2(span))
    for patch, (y, x) in zip(arrays.pixels[:, 0], arrays.origins.tolist(), strict=True):
        assert sizes.top_margin <= y <= sizes.top_margin + sizes.height - 32
        assert sizes.left_margin <= x <= sizes.left_margin + sizes.width - 32
        crop = image[y : y + 32, x : x + 32] - np.tile(black.reshape(2, 2), (16, 16))
        np.testing.assert_array_equal(patch, (crop * scale).astype(np.float32))


@needs_shared_data
@pytest.mark.shared_data
@pytest.mark.parametrize("row", JPEG_FILES, ids=lambda row: Path(row["path"]).name)
def test_patches_of_real_jpeg_files_are_parts_of_what_pillow_decodes(
    row: dict[str, str], tmp_path: Path
) -> None:
    path = real_file(row)
    with Image.open(path) as picture:
        colours = np.asarray(picture.convert("RGB"))
    luma = simplejpeg.decode_jpeg(path.read_bytes(), colorspace="GRAY")[:, :, 0]
    spec = PatchSpec(kind="five-crop", size=48)
    rgb = source_of_file(path, tmp_path, "jpeg-rgb", spec).batch(np.arange(5))
    grey = source_of_file(path, tmp_path, "jpeg-luma", spec).batch(np.arange(5))
    for number, (y, x) in enumerate(rgb.origins.tolist()):
        crop = colours[y : y + 48, x : x + 48].transpose(2, 0, 1)
        np.testing.assert_array_equal(rgb.pixels[number] * 256, crop)
        np.testing.assert_array_equal(grey.pixels[number, 0] * 256, luma[y : y + 48, x : x + 48])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_pictures_are_never_turned(tmp_path: Path, orientation: int) -> None:
    picture = Image.fromarray(picture_of(lit_mosaic(0)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, exif=exif)
    path = tmp_path / "turned.jpg"
    path.write_bytes(buffer.getvalue())
    arrays = source_of_file(path, tmp_path, "jpeg-rgb", TILES).batch(np.arange(12))
    with Image.open(path) as unturned:
        colours = np.asarray(unturned)
    for patch, (y, x) in zip(arrays.pixels, arrays.origins.tolist(), strict=True):
        np.testing.assert_array_equal(
            patch * 256, colours[y : y + 64, x : x + 64].transpose(2, 0, 1)
        )


def whole(source: PatchSource) -> PatchArrays:
    return source.batch(np.arange(len(source)))


def test_patches_of_a_catalogues_raw_files(catalogue: Catalogue, tmp_path: Path) -> None:
    manifest, mosaics = fill_with_raw_files(catalogue)
    source = open_patches(
        catalogue, manifest, blocks=("train", "clean"), patches=TILES, input_name="raw-mosaic",
        cache_folder=tmp_path / "cache",
    )  # fmt: skip
    assert [item.block for item in source.items] == [
        item.block for item in manifest.items if item.block in ("train", "clean")
    ]
    arrays = whole(source)
    for number in range(len(source)):
        item = source.items[arrays.items[number]]
        y, x = arrays.origins[number]
        crop = (mosaics[item.sha256][y : y + 64, x : x + 64].astype(int) - 512) / 4096
        np.testing.assert_array_equal(arrays.pixels[number, 0], crop.astype(np.float32))
        assert manifest.header.class_names[arrays.labels[number]] == item.class_name


@pytest.mark.parametrize("input_name", ["raw-mosaic", "raw-planes"])
def test_the_defect_is_in_the_middle_of_its_patch(
    catalogue: Catalogue, tmp_path: Path, input_name: InputName
) -> None:
    manifest, mosaics = fill_with_raw_files(catalogue)
    places = [(40, 61), (97, 130), (121, 200), (3, 3)]
    add_ledger(catalogue, places)
    source = open_patches(
        catalogue, manifest, patches=PatchSpec(kind="defect-centred", size=32),
        input_name=input_name, cache_folder=tmp_path / "cache",
    )  # fmt: skip
    arrays = whole(source)
    train = manifest.block("train")
    assert arrays.has_defect.sum() * 2 == len(source) == len(train) * 6
    for number in np.flatnonzero(arrays.has_defect):
        y, x = arrays.origins[number]
        inside = [(a - y, b - x) for a, b in places if 0 <= a - y < 32 and 0 <= b - x < 32]
        (place,) = inside
        assert set(place) <= {14, 15}
        value = mosaics[source.items[arrays.items[number]].sha256][y + place[0], x + place[1]]
        patch = arrays.pixels[number]
        found = (
            patch[0, place[0], place[1]]
            if input_name == "raw-mosaic"
            else patch[place[0] % 2 * 2 + place[1] % 2, place[0] // 2, place[1] // 2]
        )
        assert found == np.float32((int(value) - 512) / 4096)


class TestPicturesOnTheSensor:
    @pytest.mark.parametrize("crop", [None, (4, 6), (7, 3), (10, 12)])
    def test_their_offset_is_found_from_a_shot_that_has_both_files(
        self, catalogue: Catalogue, tmp_path: Path, crop: tuple[int, int] | None
    ) -> None:
        manifest, pictures = fill_with_pictures(catalogue, crop, with_raw_files=True)
        row, column = crop or (0, 0)
        add_ledger(catalogue, [(60, 70), (101, 150)])
        source = open_patches(
            catalogue, manifest, patches=PatchSpec(kind="defect-centred", size=32),
            input_name="jpeg-rgb", cache_folder=tmp_path / "cache",
        )  # fmt: skip
        arrays = whole(source)
        for number in range(len(source)):
            y, x = arrays.origins[number]
            assert y % 2 == 0 and x % 2 == 0
            picture = pictures[source.items[arrays.items[number]].sha256]
            part = picture[y - row :, x - column :][:32, :32].transpose(2, 0, 1)
            np.testing.assert_array_equal(arrays.pixels[number] * 256, part)
        around = arrays.origins[arrays.has_defect]
        assert {tuple(place) for place in around.tolist()} == {(46, 56), (86, 136)}

    def test_pictures_of_the_sensors_size_need_no_raw_files(
        self, catalogue: Catalogue, tmp_path: Path
    ) -> None:
        manifest, _ = fill_with_pictures(catalogue)
        add_ledger(catalogue, [(60, 70)])
        source = open_patches(
            catalogue, manifest, patches=PatchSpec(kind="defect-centred", size=32),
            input_name="jpeg-luma", cache_folder=tmp_path / "cache",
        )  # fmt: skip
        assert len(source) == 2 * len(manifest.block("train"))

    def test_without_them_defects_have_no_place_unless_the_offset_is_given(
        self, catalogue: Catalogue, tmp_path: Path
    ) -> None:
        manifest, _ = fill_with_pictures(catalogue, (4, 6))
        add_ledger(catalogue, [(60, 70)])

        def opened(kind: str, crop_offsets: dict[str, tuple[int, int]] | None) -> PatchSource:
            return open_patches(
                catalogue, manifest, patches=PatchSpec.model_validate({"kind": kind, "size": 32}),
                input_name="jpeg-luma", cache_folder=tmp_path / "cache",
                crop_offsets=crop_offsets,
            )  # fmt: skip

        with pytest.raises(PatchError, match=r"6001.*not known: give crop_offsets"):
            opened("defect-centred", None)
        assert len(opened("defect-centred", {"6001": (4, 6)})) > 0
        assert whole(opened("five-crop", None)).origins.min() == 0
        assert whole(opened("five-crop", {"6001": (4, 6)})).origins.min(axis=0).tolist() == [4, 6]

    def test_resized_pictures_have_no_defect_centred_patches(
        self, catalogue: Catalogue, tmp_path: Path
    ) -> None:
        manifest, _ = fill_with_pictures(catalogue, is_resized=True)
        add_ledger(catalogue, [(60, 70)])
        with pytest.raises(PatchError, match=r"6001.*resized its pictures"):
            open_patches(
                catalogue, manifest, patches=PatchSpec(kind="defect-centred", size=32),
                input_name="jpeg-luma", cache_folder=tmp_path / "cache",
                crop_offsets={"6001": (0, 0)},
            )  # fmt: skip

    def test_an_offset_is_not_guessed(self) -> None:
        mosaic = lit_mosaic(0)
        frame = Frame(mosaic, "RGGB", 4095, (512.0,) * 4, (0, 0, ROWS, COLUMNS))
        luma = picture_of(mosaic)[4:-12, 6:-12, 1]
        assert find_crop_offset(frame, np.ascontiguousarray(luma)) == (4, 6)
        other = picture_of(lit_mosaic(99))[4:-12, 6:-12, 1]
        assert find_crop_offset(frame, np.ascontiguousarray(other)) is None
        assert find_crop_offset(frame, np.full((150, 200), 128, np.uint8)) is None
        assert find_crop_offset(frame, np.zeros((ROWS + 2, COLUMNS), np.uint8)) is None
        assert find_crop_offset(frame, np.ascontiguousarray(luma[::2, ::2])) is None
        assert find_crop_offset(frame, np.ascontiguousarray(luma[::-1])) is None


@needs_shared_data
@pytest.mark.shared_data
@pytest.mark.parametrize(
    "row",
    [row for row in RAW_FILES if "Canon" in row["model"]][:2],
    ids=lambda row: Path(row["path"]).name,
)
def test_the_offset_of_a_real_cameras_picture_is_found(row: dict[str, str]) -> None:
    path = real_file(row)
    with rawpy.imread(str(path)) as raw:
        sizes = raw.sizes
        picture = raw.postprocess(use_camera_wb=True, user_flip=0)
    luma = simplejpeg.decode_jpeg(jpeg_of(picture[5:-9, 8:-4]), colorspace="GRAY")[:, :, 0]
    found = find_crop_offset(read_frame(path), luma)
    assert found == (sizes.top_margin + 5, sizes.left_margin + 8)


def test_the_input_must_suit_the_files(catalogue: Catalogue, tmp_path: Path) -> None:
    manifest, _ = fill_with_raw_files(catalogue)
    with pytest.raises(PatchError, match="raw files, which give no jpeg-luma"):
        open_patches(
            catalogue, manifest, patches=TILES, input_name="jpeg-luma", cache_folder=tmp_path
        )
    with pytest.raises(PatchError, match="no items in elsewhere"):
        open_patches(
            catalogue, manifest, blocks=("elsewhere",), patches=TILES, input_name="raw-mosaic",
            cache_folder=tmp_path,
        )  # fmt: skip


def test_the_dataset_may_say_which_patches_and_which_input(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    manifest, _ = fill_with_raw_files(
        catalogue, input="raw-planes", patches={"kind": "grid", "size": 64, "count": 3}
    )
    source = open_patches(catalogue, manifest, cache_folder=tmp_path / "cache")
    assert source.batch(np.arange(4)).pixels.shape == (4, 4, 32, 32)
    assert len(source) == 3 * len(manifest.block("train"))


def test_somebody_must_say_which_patches_and_which_input(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    manifest, _ = fill_with_raw_files(catalogue)
    with pytest.raises(PatchError, match="does not say which patches"):
        open_patches(catalogue, manifest, input_name="raw-mosaic", cache_folder=tmp_path)
    with pytest.raises(PatchError, match="does not say which input"):
        open_patches(catalogue, manifest, patches=TILES, cache_folder=tmp_path)


def test_masked_mosaics_are_cached_beside_the_others(catalogue: Catalogue, tmp_path: Path) -> None:
    manifest, mosaics = fill_with_raw_files(catalogue)
    places = np.array([[40, 61], [97, 130]])

    def opened(variations: dict[str, Variation] | None) -> PatchSource:
        return open_patches(
            catalogue, manifest, patches=TILES, input_name="raw-mosaic",
            cache_folder=tmp_path / "cache", variations=variations,
        )  # fmt: skip

    plain, masked = opened(None), opened({"6001": mask_variation(places)})
    assert plain.identity != masked.identity
    for number in (0, 5, 11):
        arrays = masked.batch(np.array([number]))
        y, x = arrays.origins[0]
        expected = mask_defects(mosaics[masked.items[0].sha256], places).astype(int) - 512
        crop = expected[y : y + 64, x : x + 64] / 4096
        np.testing.assert_array_equal(arrays.pixels[0, 0], crop.astype(np.float32))
    with pytest.raises(PatchError, match="no items of a camera 7"):
        opened({"7": mask_variation(places)})


def test_a_cached_dataset_needs_its_files_no_more(catalogue: Catalogue, tmp_path: Path) -> None:
    manifest, _ = fill_with_raw_files(catalogue)

    def opened() -> PatchSource:
        return open_patches(
            catalogue, manifest, patches=TILES, input_name="raw-mosaic",
            cache_folder=tmp_path / "cache",
        )  # fmt: skip

    first = opened()
    first.prepare()
    shutil.rmtree(tmp_path / "store")
    np.testing.assert_array_equal(whole(first).pixels, whole(opened()).pixels)
