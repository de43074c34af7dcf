"""`hegui optouts iscc`."""

import io
import json
import random
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps

from hegui.rules.cases import BASE_POLICY
from hegui.rules.iscc import content_unit
from hegui.streams.optouts import content_codes
from hegui.streams.optouts.content_codes import ContentCodeError, iscc_of

TEXT = " ".join(f"第{number}段讲述一条河流在第{number * 7 % 31}天怎样流过城市。" for number in range(60))


def drawn(seed: int = 1, mode: str = "RGB") -> Image.Image:
    draw = random.Random(seed)
    picture = Image.new("RGB", (400, 300), "navy")
    pen = ImageDraw.Draw(picture)
    for _ in range(25):
        x, y, size = draw.randrange(400), draw.randrange(300), draw.randrange(20, 120)
        pen.ellipse((x, y, x + size, y + size), fill=(draw.randrange(256), draw.randrange(256), draw.randrange(256)))
    return picture.convert(mode)


def as_bytes(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, form, **options)
    return made.getvalue()


def distance(one: bytes, other: bytes) -> int:
    units = [content_unit(iscc_of(content)[1]) for content in (one, other)]
    assert units[0] is not None and units[1] is not None
    assert units[0].kind == units[1].kind
    return (units[0].bits ^ units[1].bits).bit_count()


def test_codes_are_printed_for_texts_and_pictures(hegui, tmp_path: Path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.png").write_bytes(as_bytes(drawn()))
    ran = hegui("optouts", "iscc", tmp_path / "a.txt", tmp_path / "b.png")
    assert ran.code == 0, ran.err
    text, image = [line.split() for line in ran.out.splitlines()]
    assert (text[1:], image[1:]) == (["text", "a.txt"], ["image", "b.png"])
    assert [content_unit(line[0]).kind for line in (text, image)] == ["text", "image"]


def test_what_is_printed_can_be_imported_and_then_decides(hegui, tmp_path: Path):
    work, copy = tmp_path / "a.txt", tmp_path / "b.txt"
    work.write_text(TEXT, encoding="utf-8")
    copy.write_text(TEXT.replace("第3段", "第三段"), encoding="utf-8")
    rows = tmp_path / "works.jsonl"
    rows.write_text(hegui("optouts", "iscc", "--format", "jsonl", work).out)
    store = tmp_path / "store.jsonl"
    assert hegui("optouts", "import", rows, "--store", store).code == 0
    code = json.loads(rows.read_text())["subject"]
    assert "training: no" in hegui("optouts", "lookup", code, "--store", store).out
    near = hegui("optouts", "iscc", copy).out.split()[0]
    assert near != code
    event = {
        "specversion": "1.0",
        "type": "hegui.ingest.v1",
        "source": "crawler",
        "id": "1",
        "time": "2030-01-01T00:00:00Z",
        "data": {"service": "pipeline", "source_type": "open", "fingerprint": near},
    }
    (tmp_path / "events.jsonl").write_text(json.dumps(event))
    (tmp_path / "policy.yaml").write_text(
        "version: v\nrules: {select: [OPT011]}\nservices: [{name: pipeline, team: corpus}]\n"
    )
    ran = hegui(
        "check", tmp_path / "events.jsonl", "--policy", tmp_path / "policy.yaml", "--optouts", store, "--format", "json"
    )
    found = ran.out
    assert "OPT011" in found and code in found and "distance_bits" in found, ran


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00\x01", "neither a picture nor UTF-8 text"),
        (b"a\0b" * 200, "neither a picture nor UTF-8 text"),
        (b"", "fewer than 100 characters"),
        ("。 ，！".encode() * 500, "fewer than 100 characters"),
        (as_bytes(drawn())[:2000], "the picture is broken"),
        (as_bytes(Image.new("1", (20_000, 6_000))), "more pixels than Pillow opens safely"),
        (as_bytes(Image.new("1", (20_000, 20_000))), "more pixels than Pillow opens safely"),
    ],
)
def test_a_file_of_which_no_code_can_be_made_is_told_and_the_others_are_done(
    hegui, tmp_path: Path, content: bytes, sentence: str
):
    (tmp_path / "bad").write_bytes(content)
    (tmp_path / "good").write_text(TEXT, encoding="utf-8")
    ran = hegui("optouts", "iscc", tmp_path / "bad", tmp_path / "good")
    assert ran.code == 1
    assert "no code    bad: " in ran.err and sentence in ran.err
    assert ran.out.endswith("text   good\n")


def test_without_the_extra_the_remedy_is_named(hegui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "iscc_lib", None)
    monkeypatch.delitem(sys.modules, "hegui.streams.optouts.content_codes", raising=False)
    (tmp_path / "a").write_text(TEXT, encoding="utf-8")
    ran = hegui("optouts", "iscc", tmp_path / "a")
    assert ran.code == 2
    assert "pip install 'hegui[iscc]'" in ran.err


PICTURE = as_bytes(drawn())


@pytest.mark.parametrize(
    "copy",
    [
        as_bytes(drawn(), "JPEG", quality=60),
        as_bytes(drawn().resize((200, 150)), "WEBP"),
        as_bytes(ImageOps.expand(drawn(), 30, "white")),
        as_bytes(drawn(mode="RGBA")),
        as_bytes(drawn().quantize(200)),
    ],
    ids=["jpeg", "half the size", "white border", "alpha", "palette"],
)
def test_copies_of_a_picture_lie_within_the_default_distance(copy: bytes):
    assert distance(PICTURE, copy) <= BASE_POLICY.iscc_max_distance_bits


def test_a_turned_picture_is_turned_back_by_its_tag():
    tag = Image.Exif()
    tag[0x0112] = 6
    turned = as_bytes(drawn().transpose(Image.Transpose.ROTATE_90), "PNG", exif=tag)
    assert distance(PICTURE, turned) == 0


def test_what_is_transparent_counts_as_white():
    clear, white = drawn(mode="RGBA"), drawn(mode="RGBA")
    clear.paste((10, 20, 30, 0), (0, 0, 150, 150))
    white.paste("white", (0, 0, 150, 150))
    assert distance(as_bytes(clear), as_bytes(white)) == 0


def test_other_pictures_and_texts_are_far():
    assert min(distance(PICTURE, as_bytes(drawn(seed))) for seed in range(2, 8)) > 15
    assert distance(TEXT.encode(), TEXT[::-1].encode()) > 15


def test_layout_does_not_matter_and_the_kind_does():
    assert distance(TEXT.encode(), ("\ufeff" + TEXT.replace(" ", "\r\n\r\n").replace("。", "!")).encode()) == 0
    assert [iscc_of(content)[0] for content in (TEXT.encode(), PICTURE)] == ["text", "image"]


def test_the_error_shows_no_content():
    with pytest.raises(ContentCodeError) as caught:
        iscc_of("绝密".encode())
    assert "绝密" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        as_bytes(drawn(), "EPS"),
        b"\xc5\xd0\xd3\xc6" + bytes(26) + as_bytes(drawn(), "EPS"),
        as_bytes(drawn(), "PDF"),
        b"%PDF-1.7\n" + TEXT.encode(),
    ],
)
def test_what_another_program_would_have_to_draw_is_not_read(content, monkeypatch):
    def run(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("subprocess.check_call", run)
    monkeypatch.setattr("subprocess.Popen", run)
    with pytest.raises(ContentCodeError, match="PostScript and PDF are not read"):
        iscc_of(content)


@pytest.mark.parametrize("form", ["BMP", "GIF", "PPM", "TIFF", "WEBP"])
def test_pictures_of_the_usual_formats_are_read(form):
    assert iscc_of(as_bytes(drawn(), form))[0] == "image"


def test_the_formats_are_ones_that_pillow_knows():
    Image.init()
    assert set(content_codes._FORMATS) <= Image.OPEN.keys()
