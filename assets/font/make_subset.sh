#!/bin/sh
# Makes figures.ttf, the font of all figures, from STIX Two Math (npm package @fontsource/stix-two-math, version 5.3.0,
# SIL Open Font License 1.1, no reserved font name). Needs npm and Python's fonttools and brotli.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent --ignore-scripts @fontsource/stix-two-math@5.3.0 && tar xzf ./*.tgz)
fonttools ttLib.woff2 decompress -o "$work/full.ttf" "$work/package/files/stix-two-math-latin-400-normal.woff2"
# Latin, Greek, punctuation, super- and subscripts, and the signs of formulas; pair kerning; no hinting.
pyftsubset "$work/full.ttf" --output-file=figures.ttf \
    --unicodes="20-7E,A0-17F,391-3A9,3B1-3C9,3D1,3D5,3F5,2010-2015,2018-201A,201C-201E,2020-2022,2026,2030,2032,2033,2039,203A,20AC,2070,2071,2074-208E,2102,210F,2113,2115,211D,2126,2190-2195,21D2,2202,2205-2208,220F,2211-2213,2217-221E,2220,2225,2227-222B,223C,2243,2245,2248,2260-2265,226A,226B,2295,2297,2299,22C5,2308-230B,25A0,25A1,25B2,25B3,25BC,25BD,25C6,25C7,25CB,25CF,2605,2713,27E8,27E9" \
    --layout-features=kern --no-hinting --desubroutinize --notdef-outline --name-IDs=0,1,2,4,6,13,14 --drop-tables+=MATH,GSUB,GDEF,gasp
cp "$work/package/LICENSE" LICENSE.txt
