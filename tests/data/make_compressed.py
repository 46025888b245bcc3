#!/usr/bin/env python3
"""Makes compressed.fits.gz: one small image per kind of tile compression, written by astropy (cfitsio's algorithms).

Pixel values follow formulas that the test repeats: integers 7·row − 3·col + 100 (modulo the range of 8 bits), reals
0.25·row − 0.5·col + 3 with col 5 undefined in row 2. Lossy kinds are quantised; their step is in ZSCALE.
"""
import gzip
import io
import sys

import numpy as np
from astropy.io import fits

rows, cols = 12, 16
r, c = np.mgrid[0:rows, 0:cols]
integers = 7 * r - 3 * c + 100
reals = 0.25 * r - 0.5 * c + 3 + 0.01 * np.sin(r * 31.0 + c * 17.0)
reals[2, 5] = np.nan
hdus = [fits.PrimaryHDU()]


def add(name, data, **options):
    hdus.append(fits.CompImageHDU(data, name=name, **options))


add("RICE1", (integers % 256).astype(np.uint8), compression_type="RICE_1")
add("RICE2", integers.astype(np.int16), compression_type="RICE_1")
add("RICE4", integers.astype(np.int32), compression_type="RICE_1", tile_shape=(5, 7))
add("GZIP1", integers.astype(np.int16), compression_type="GZIP_1")
add("GZIP2", integers.astype(np.int32), compression_type="GZIP_2")
add("NOCOMP", integers.astype(np.int32), compression_type="NOCOMPRESS")
add("LOSSLESS", reals.astype(np.float32), compression_type="GZIP_2", quantize_level=0.0)
add("LOSSLESS64", reals.astype(np.float64), compression_type="GZIP_1", quantize_level=0.0)
add("PLAIN", reals.astype(np.float32), compression_type="RICE_1", quantize_level=-0.001, quantize_method=-1)
add("DITHER1", reals.astype(np.float32), compression_type="RICE_1", quantize_level=-0.001, quantize_method=1,
    dither_seed=42)
add("DITHER2", reals.astype(np.float64), compression_type="GZIP_2", quantize_level=-0.001, quantize_method=2,
    dither_seed=42)
stream = io.BytesIO()
fits.HDUList(hdus).writeto(stream)
with open(sys.argv[1], "wb") as file:
    file.write(gzip.compress(stream.getvalue(), mtime=0))
