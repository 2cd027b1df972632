"""Random colour images of 84 x 84 as an image data set, for timing alone."""

import pathlib
import random
import struct
import tempfile
import zlib

import gpu_checks

SIZE, CLASSES, EACH = 84, 20, 16


def png(pixels):
    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))
    row = 3 * SIZE
    rows = b"".join(b"\0" + pixels[i:i + row] for i in range(0, len(pixels), row))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def write(options, file, seconds):
    """A data set file; "ok", or why there is none. Each split has classes for tasks of 5 ways."""
    numbers = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        for label in range(CLASSES):
            kept = pathlib.Path(folder, f"class{label:02}")
            kept.mkdir()
            for i in range(EACH):
                kept.joinpath(f"{i}.png").write_bytes(png(numbers.randbytes(3 * SIZE * SIZE)))
        done = gpu_checks.run_ours(
            options, ["data", "import", "images", folder, "--out", file, "--name", "random",
                      "--height", SIZE, "--width", SIZE, "--channels", 3,
                      "--fractions", 0.4, 0.3, 0.3], seconds)
    return done.why or "ok"
