"""Folders of files to be afraid of: damaged, hostile, disguised; all from a seed."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from tests.support.frame_files import dark_mosaic, dng
from tests.support.imports import camera_jpeg, jpeg

Damage = Callable[[bytes, np.random.Generator], bytes]

HOSTILE_NAMES = [
    b"\xff\xfe.jpg",
    b"new\nline.dng",
    b"\x1b[31mred.tif",
    b"-config.jpg",
    b"'; drop table shot;--.jpg",
    b"=cmd|calc.jpg",
    b"$(reboot).dng",
    "‮gpj.exe".encode() + b".jpg",
    b"%s%n{0}.tiff",
    b"x" * 240 + b".jpg",
]


def sound_files() -> dict[str, bytes]:
    """Return one file of each form that is read here."""
    tiff = io.BytesIO()
    tifffile.imwrite(tiff, dark_mosaic(5))
    packed = io.BytesIO()
    tifffile.imwrite(packed, dark_mosaic(6), compression="zlib")
    fits = _fits(dark_mosaic(7))
    return {
        "dng": dng(dark_mosaic(1)),
        "jpg": jpeg(2),
        "jpeg": camera_jpeg(3),
        "tif": tiff.getvalue(),
        "tiff": packed.getvalue(),
        "fits": fits,
    }


def _fits(mosaic: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> bytes:
    height, width = mosaic.shape
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                   16",
        "NAXIS   =                    2",
        f"NAXIS1  = {width:20}",
        f"NAXIS2  = {height:20}",
        "BZERO   =                32768",
        "BSCALE  =                    1",
        "END",
    ]
    header = "".join(card.ljust(80) for card in cards).encode()
    data = (mosaic.astype(np.int32) - 32768).astype(">i2").tobytes()
    return header.ljust(-(-len(header) // 2880) * 2880) + data.ljust(-(-len(data) // 2880) * 2880)


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    # headers are where decoders are led astray
    reach = min(len(changed), int(rng.choice([64, 1024, len(changed)])))
    for place in rng.integers(0, reach, int(rng.integers(1, 20))):
        changed[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(changed)


def overwritten(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content)))
    length = int(rng.integers(1, 4096))
    filler = bytes([int(rng.choice([0, 0xFF, 0x80]))]) * length
    return content[:at] + filler + content[at + length :]


def spliced(content: bytes, rng: np.random.Generator) -> bytes:
    one, other = sorted(int(place) for place in rng.integers(0, len(content), 2))
    return content[other:] + content[one:other] + content[:one]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    one, other = sorted(int(place) for place in rng.integers(0, len(content), 2))
    return content[:other] + content[one:]


DAMAGES: tuple[Damage, ...] = (truncated, flipped, flipped, overwritten, spliced, repeated)


def bombs() -> dict[str, bytes]:
    """Return small files that want to become large ones."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", b"\0" * (32 << 20))
    return {
        "archive.dng": archive.getvalue(),
        "archive.jpg": archive.getvalue() + b"\0",
        "packed.fits": gzip.compress(b"\0" * (8 << 20)),
        "deflated.tif": _tiff(1 << 16, 1 << 16, zlib.compress(b"\0" * (16 << 20)), compression=8),
        "huge.tif": _tiff((1 << 32) - 1, (1 << 32) - 1, b"\0" * 64),
        "huge.dng": _tiff(1 << 20, 1 << 20, b"\0" * 64, photometric=32803),
        "loop.tif": b"II*\0" + struct.pack("<IHI", 8, 0, 8),
        "huge.jpg": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11"
        b"\x01\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0" + b"\0" * 600 + b"\xff\xd9",
        "huge.fits": _fits(dark_mosaic(1))[:2880].replace(
            f"NAXIS1  = {384:20}".encode(), f"NAXIS1  = {1 << 40:20}".encode()
        ),
    }  # fmt: skip


def _tiff(
    width: int, height: int, data: bytes, *, compression: int = 1, photometric: int = 1
) -> bytes:
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, compression),
        (262, 3, photometric), (273, 4, 200), (277, 3, 1), (278, 4, height), (279, 4, len(data)),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        body += struct.pack("<HHII", tag, kind, 1, value)
    return (b"II*\0" + struct.pack("<I", 8) + body + b"\0\0\0\0").ljust(200, b"\0") + data


def fill(folder: Path, rng: np.random.Generator, count: int, originals: list[Path]) -> None:
    """Fill a folder with `count` damaged files, and one of everything else that is hostile.

    Parameters
    ----------
    folder
        An empty folder.
    rng
        Chooses.
    count
        Of the damaged files.
    originals
        Real files to damage beside the generated ones.
    """
    sound = sound_files()
    for number in range(count):
        if originals and rng.random() < 0.3:
            original = originals[int(rng.integers(0, len(originals)))]
            suffix, content = original.suffix.lstrip("."), original.read_bytes()
        else:
            suffix = str(rng.choice(list(sound)))
            content = sound[suffix]
        damage = DAMAGES[int(rng.integers(0, len(DAMAGES)))]
        if rng.random() < 0.1:
            suffix = str(rng.choice([*sound, "cr2", "nef", "raf", "x3f"]))
        place = folder / f"{int(rng.integers(0, 4))}"
        place.mkdir(exist_ok=True)
        (place / f"{number:04}.{suffix}").write_bytes(damage(content, rng))
    strange = folder / "strange"
    strange.mkdir()
    for number, hostile in enumerate(HOSTILE_NAMES):
        (strange / os.fsdecode(hostile)).write_bytes(jpeg(1000 + number))
    for name, content in bombs().items():
        (strange / name).write_bytes(content)
    (strange / "empty.dng").write_bytes(b"")
    (strange / "empty.jpg").write_bytes(b"")
    (strange / "to-nowhere.jpg").symlink_to("nowhere")
    (strange / "to-itself.jpg").symlink_to("to-itself.jpg")
    (strange / "to-a-secret.dng").symlink_to("/etc/passwd")
    (strange / "around").symlink_to(folder)
    os.mkfifo(strange / "pipe.tif")
    (strange / "a-folder.jpg").mkdir()
    closed = folder / "closed"
    closed.mkdir()
    (closed / "a.jpg").write_bytes(jpeg(2000))
    closed.chmod(0)
