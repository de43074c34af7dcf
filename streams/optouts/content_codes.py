"""Makes ISCC of texts and pictures (ISO 24138), for those who register works: Content-Code, Data-Code and Instance-Code in one.

Needs the extra `iscc`: `iscc-lib` makes the codes, Pillow reads pictures.
"""

from __future__ import annotations

import io
import warnings

import iscc_lib
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from hegui.streams.errors import HeguiError

LEAST_CHARACTERS = 100
"""Of a text, blanks and punctuation aside: shorter ones are alike by chance (13 characters make one feature)."""

_SIDE = 32
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may open. Some of the others it gives to another program: EPS is run by Ghostscript."""
_PROGRAMS = (b"%!PS", b"\xc5\xd0\xd3\xc6", b"%PDF")
"""PostScript (EPS) and PDF begin so; their source may be text, whose code would say nothing of the page it draws."""


class ContentCodeError(HeguiError):
    """No code can be made of the content. One sentence, which never shows it."""


def iscc_of(content: bytes) -> tuple[str, str]:
    """Return the kind of a content (`image`, else `text`) and its ISCC as `iscc:KAA...`.

    Raises:
        ContentCodeError: it is neither a picture that Pillow reads nor UTF-8 text, it is too short, or too large.
    """
    pixels = _pixels(content)
    if pixels is not None:
        kind, unit = "image", iscc_lib.gen_image_code_v0(pixels)["iscc"]
    else:
        kind, unit = "text", iscc_lib.gen_text_code_v0(_text(content))["iscc"]
    data = iscc_lib.gen_data_code_v0(io.BytesIO(content))["iscc"]
    instance = iscc_lib.gen_instance_code_v0(io.BytesIO(content))["iscc"]
    return kind, "iscc:" + iscc_lib.gen_iscc_code_v0([unit, data, instance])["iscc"].removeprefix("ISCC:")


def _text(content: bytes) -> str:
    if content.startswith(_PROGRAMS):
        raise ContentCodeError("PostScript and PDF are not read; make a picture or a text of it first")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContentCodeError("it is neither a picture nor UTF-8 text; convert it first") from None
    if "\0" in text:
        raise ContentCodeError("it is neither a picture nor UTF-8 text; convert it first")
    text = iscc_lib.text_clean(text)
    if len(iscc_lib.text_collapse(text)) < LEAST_CHARACTERS:
        raise ContentCodeError(
            f"a text of fewer than {LEAST_CHARACTERS} characters is like many others; register it by its SHA-256"
        )
    return text


def _pixels(content: bytes) -> bytes | None:
    """Return the grey values of a picture in 32 x 32, by the steps of IEP-0004 (ISO 24138): turned, on white, cut, grey, resized."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
        with picture:
            grey = _cut(_on_white(ImageOps.exif_transpose(picture)))
            return grey.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).tobytes()
    except UnidentifiedImageError:
        return None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ContentCodeError("the picture has more pixels than Pillow opens safely; make it smaller first") from None
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a broken file of a known kind
        raise ContentCodeError("the picture is broken; it cannot be read to its end") from None


def _on_white(picture: Image.Image) -> Image.Image:
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _cut(picture: Image.Image) -> Image.Image:
    """Return a picture in grey without borders of one colour, that of its first pixel."""
    corner = picture.getpixel((0, 0))
    border = ImageChops.difference(picture, Image.new("RGB", picture.size, corner)).getbbox()
    return (picture if border is None else picture.crop(border)).convert("L")
