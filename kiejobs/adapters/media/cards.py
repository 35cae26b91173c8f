"""Cards: what a rehearsal shows in the place of a result, at the size and the length that were asked for.

In: a request, its address, its pictures. Out: a picture, or a video whose mark moves, with a tone where sound was
asked for. Touches: pictures, by reading; the file to write. Needs the extra `media`. The same card has the same
bytes. A video is one second that repeats: so a long one takes no longer to draw than a short one.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kiejobs.adapters.media.pictures import Measures, look_at
from kiejobs.core import checks as c
from kiejobs.core.address import read_label
from kiejobs.core.models.spec import HEAD, media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json

WIDE_FONT = next(
    (
        path
        for path in (
            "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
            "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
            "/System/Library/Fonts/Hiragino Sans GB.ttc",
            "C:/Windows/Fonts/msyh.ttc",
        )
        if Path(path).is_file()
    ),
    None,
)
"""A font of this machine that has Chinese, Japanese and Korean letters; None: Pillow's own, which has Latin ones."""
_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_PIECE = re.compile(rf"\s*(?:[{_WIDE}]|[^\s{_WIDE}]+)[\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f]*")
_LONGEST_SIDE = {"video": 3840, "image": 2048}  # pixels
_LONGEST = 60  # seconds
_STANDARD = 720  # lines, where none were asked for
_RATIO = re.compile(r"([1-9][0-9]{0,2})[:_x]([1-9][0-9]{0,2})")
_WORDY = re.compile(r"prompt|text|script")
_PICTURED = re.compile(r"image|frame|picture|photo")
_WEB = ("http://", "https://")
_RATE = 44_100  # samples a second
_INK, _SOFT = (250, 250, 252), (208, 212, 224)


class _Place(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def draw_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Write the file of `{path, media_type, model, input, address, take, number, pictures}`."""
    kind = card["media_type"].partition("/")[0]
    pictures = list(_pictures(card))
    size = size_of(card["input"], kind, next((one.size for _, one in pictures if one is not None), None))
    canvas, colour = _painted(card, pictures, size)
    path, form = Path(card["path"]), card["media_type"].partition("/")[2]
    if kind == "image":
        canvas.save(path, format=form, **({"compress_level": 1} if form == "png" else {"quality": 88}))
    else:
        _film(path, canvas, colour, card["input"])
    return {"drawn": True}


# --- how large, how long ----------------------------------------------------------------------------


def size_of(request: Mapping[str, Json], kind: str, picture: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height in pixels, both even, as near as a card gets to what was asked for."""
    lines = re.fullmatch(r"([1-9][0-9]{2,3})[pP]", str(request.get("resolution", "")))
    thousands = re.fullmatch(r"([1-4])[kK]", str(request.get("resolution", "")))
    short = (
        int(lines[1]) if lines else 1024 * int(thousands[1]) if thousands and kind == "image" else _STANDARD
    )
    wide, high = _proportions(request, picture)
    scale = short / min(wide, high)
    scale = min(scale, _LONGEST_SIDE[kind] / max(wide, high))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (wide, high))
    return width, height


def _proportions(request: Mapping[str, Json], picture: tuple[int, int] | None) -> tuple[float, float]:
    for name in ("aspect_ratio", "ratio", "image_size", "size"):
        text = str(request.get(name, ""))
        found = _RATIO.search(text)
        if found:
            sides = sorted((int(found[1]), int(found[2])))
            named = {"portrait": sides, "landscape": sides[::-1]}
            word = next((word for word in named if text.startswith(word)), None)
            wide, high = named[word] if word else (int(found[1]), int(found[2]))
            return (wide, high) if 1 / 4 <= wide / high <= 4 else (16, 9)
        if text.startswith(("portrait", "landscape", "square")):
            return {"p": (9, 16), "l": (16, 9), "s": (1, 1)}[text[0]]
    if picture and 1 / 3 <= picture[0] / picture[1] <= 3:
        return picture
    return (16, 9)


def seconds_of(request: Mapping[str, Json]) -> int:
    """How long, in full seconds."""
    words = str(request.get("duration", request.get("n_frames", "")))
    return min(int(words), _LONGEST) if re.fullmatch(r"[1-9][0-9]{0,3}", words) else 5


# --- a picture --------------------------------------------------------------------------------------


def _pictures(card: Mapping[str, Any]) -> Iterator[tuple[str, Image.Image | None]]:
    """Two at most, each with its name; None for what is only an address here."""
    shown = 0
    for field, value in card["input"].items():
        for text in value if isinstance(value, list) else [value]:
            is_address = isinstance(text, str) and (text.startswith(_WEB) or text in card["pictures"])
            if is_address and shown < 2 and _PICTURED.search(field):
                path = card["pictures"].get(text)
                opened = None if path is None else _opened(Path(path))
                if path is None or opened is not None:
                    shown += 1
                    yield text.partition("?")[0].rpartition("/")[2][:60], opened


def _opened(path: Path) -> Image.Image | None:
    with path.open("rb") as stream:
        media_type = media_type_of(stream.read(HEAD)) or ""
        if not media_type.startswith("image/") or not isinstance(
            look_at(stream, media_type, decode=False), Measures
        ):
            return None
        stream.seek(0)
        with Image.open(stream) as opened:
            opened.draft("RGB", (1600, 1600))
            picture: Image.Image = ImageOps.exif_transpose(opened).convert("RGB")
            return picture


def _painted(
    card: Mapping[str, Any], pictures: Sequence[tuple[str, Image.Image | None]], size: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int, int]]:
    width, height = size
    hue = _hue_of(card)
    canvas = _background(size, hue)
    pen = _Pen(canvas, min(width, height) / 100, _rgb(hue, 0.42, 1.0))
    margin = round(6 * pen.unit)
    inner = _Place(margin, margin, width - margin, height - margin - round(9 * pen.unit))
    _foot(pen, card, _Place(margin, height - margin, width - margin - pen.size(12), height))
    if pictures:
        panel, inner = _parted(inner, margin, is_wide=width > height * 1.1)
        _hang(pen, pictures, panel)
    _write(pen, card, inner)
    return canvas, pen.accent


def _hue_of(card: Mapping[str, Any]) -> float:
    """One for each job; its cells and takes are neighbours of it."""
    name, _, axes = str(card["address"] or card["model"]).partition("[")
    family = hashlib.sha256(name.encode()).digest()[0] / 256
    shade = hashlib.sha256(axes.encode()).digest()[0] / 256 - 0.5 if axes else 0.0
    hue: float = family + 0.08 * shade + 0.13 * (card["take"] - 1) + 0.05 * card["number"]
    return hue % 1.0


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def _background(size: tuple[int, int], hue: float) -> Image.Image:
    small = np.linspace(0, 1, 32)
    slope = (0.65 * (1 - small[:, None]) + 0.35 * small[None, :])[..., None]
    dark, light = np.array(_rgb(hue, 0.72, 0.13)), np.array(_rgb((hue + 0.06) % 1, 0.62, 0.42))
    pixels = (dark + (light - dark) * slope).astype(np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def _parted(place: _Place, margin: int, *, is_wide: bool) -> tuple[_Place, _Place]:
    """For the pictures and for the words: next to one another, or one above the other."""
    if is_wide:
        middle = place.left + round((place.right - place.left) * 0.42)
        return place._replace(right=middle), place._replace(left=middle + margin)
    middle = place.top + round((place.bottom - place.top) * 0.44)
    return place._replace(bottom=middle), place._replace(top=middle + margin * 2 // 3)


class _Pen:
    """What draws on one canvas. `unit` is a hundredth of its short side, in pixels."""

    def __init__(self, canvas: Image.Image, unit: float, accent: tuple[int, int, int]) -> None:
        self.canvas, self.unit, self.accent = canvas, unit, accent
        self.draw = ImageDraw.Draw(canvas, "RGBA")

    def size(self, units: float) -> int:
        return max(9, round(units * self.unit))

    def text(
        self, at: tuple[int, int], words: str, units: float, ink: tuple[int, ...], *, bold: bool = False
    ) -> int:
        """The y below it."""
        size = self.size(units)
        stroke = size // 28 if bold else 0
        self.draw.text(at, words, font=_font(size), fill=ink, stroke_width=stroke)
        return at[1] + round(size * 1.28)


@cache
def _font(size: int) -> Any:
    return ImageFont.truetype(WIDE_FONT, size) if WIDE_FONT else ImageFont.load_default(size)


def _hang(pen: _Pen, pictures: Sequence[tuple[str, Image.Image | None]], panel: _Place) -> None:
    """The pictures in their panel, cut to it; an address as a frame with its name."""
    gap = round(2 * pen.unit)
    high = (panel.bottom - panel.top - gap * (len(pictures) - 1)) // len(pictures)
    for number, (name, picture) in enumerate(pictures):
        top = panel.top + number * (high + gap)
        wide = panel.right - panel.left
        mask = Image.new("L", (wide, high), 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, wide - 1, high - 1), round(2 * pen.unit), fill=255)
        if picture is not None:
            pen.canvas.paste(ImageOps.fit(picture, (wide, high)), (panel.left, top), mask)
            continue
        box = (panel.left, top, panel.right - 1, top + high - 1)
        pen.draw.rounded_rectangle(
            box, round(2 * pen.unit), fill=(0, 0, 0, 70), outline=(*pen.accent, 120), width=2
        )
        middle = top + high // 2
        note = "an address: not fetched in a rehearsal"
        across = panel.left + wide // 2
        for words, units, shift, ink in ((name, 3.4, -2.6, _INK), (note, 2.2, 2.6, _SOFT)):
            text = _fitted(words, pen.size(units), wide - 2 * gap)
            at = (across, middle + round(shift * pen.unit))
            pen.draw.text(at, text, font=_font(pen.size(units)), fill=ink, anchor="mm")


def _write(pen: _Pen, card: Mapping[str, Any], place: _Place) -> None:
    campaign, _, rest = str(card["address"] or "").partition("/")
    job, _, axes = rest.partition("#")[0].partition("[")
    wide = place.right - place.left
    at = pen.text((place.left, place.top), _fitted(campaign or "rehearsal", pen.size(3), wide), 3, pen.accent)
    title = drawable(job or card["model"])
    units = next((u for u in (9, 7.5, 6, 5) if _font(pen.size(u)).getlength(title) < wide), 4)
    at = pen.text((place.left, at), _fitted(title, pen.size(units), wide), units, _INK, bold=True)
    labels = [part.replace("=", " ", 1) for part in axes.rstrip("]").split(",") if part]
    chips = [drawable(read_label(one)) for one in labels]
    chips += [f"take {card['take']}"] if card["take"] > 1 else []
    chips += [f"file {card['number'] + 1}"] if card["number"] else []
    at = _pills(pen, chips, place, at + round(1.2 * pen.unit))
    _prompt(pen, _words_of(card["input"]), place._replace(top=at))


def _foot(pen: _Pen, card: Mapping[str, Any], place: _Place) -> None:
    asked = [str(card["input"][key]) for key in ("resolution", "aspect_ratio") if card["input"].get(key)]
    asked += [f"{seconds_of(card['input'])} s"] if card["media_type"].startswith("video") else []
    line = "  ·  ".join(["rehearsal", *asked, card["model"]])
    size = pen.size(2.6)
    pen.text((place.left, place.top - size), _fitted(line, size, place.right - place.left), 2.6, _SOFT)


def _pills(pen: _Pen, words: Sequence[str], place: _Place, top: int) -> int:
    """Labels in a row, or in several. The y below them."""
    size, pad = pen.size(3), round(1.5 * pen.unit)
    left, high = place.left, round(size * 1.28) + pad
    for word in words:
        text = _fitted(word, size, place.right - place.left - 2 * pad)
        wide = round(_font(size).getlength(text)) + 2 * pad
        if left + wide > place.right and left > place.left:
            left, top = place.left, top + high + pad // 2
        pen.draw.rounded_rectangle((left, top, left + wide, top + high), high // 2, fill=(*pen.accent, 48))
        pen.draw.text((left + pad, top + high / 2), text, font=_font(size), fill=_INK, anchor="lm")
        left += wide + pad // 2
    return top + high + round(2 * pen.unit) if words else top + round(pen.unit)


def _prompt(pen: _Pen, words: str, place: _Place) -> None:
    """As large as it fits; what doesn't fit at the smallest size is cut."""
    for units in (5.6, 4.8, 4.2, 3.6, 3.1, 2.7):
        size = pen.size(units)
        lines, high = _wrapped(words, size, place.right - place.left), round(size * 1.34)
        room = max(0, (place.bottom - place.top) // high)
        if len(lines) <= room:
            break
    if len(lines) > room:
        lines = [*lines[: max(room - 1, 0)], *([f"{lines[room - 1][:-1]}…"] if room else [])]
    for number, line in enumerate(lines):
        pen.draw.text((place.left, place.top + number * high), line, font=_font(size), fill=_INK)


def _words_of(request: Mapping[str, Json]) -> str:
    """The prompt, else the longest text of the request that is no address."""
    texts = {
        name: text for name, text in request.items() if isinstance(text, str) and not text.startswith(_WEB)
    }
    wordy = [name for name in texts if _WORDY.search(name) and not name.startswith("negative")]
    name = "prompt" if "prompt" in wordy else next(iter(wordy), None)
    return drawable(" ".join(texts[name].split())) if name else ""


def _wrapped(words: str, size: int, wide: int) -> list[str]:
    """Chinese and Japanese break anywhere but in front of a mark."""
    font, lines = _font(size), [""]
    for word in _PIECE.findall(words[:2000]):
        longer = f"{lines[-1]}{word}"
        if font.getlength(longer.rstrip()) <= wide or not lines[-1].strip():
            lines[-1] = longer
        else:
            lines.append(word.lstrip())
    return [_fitted(line.rstrip(), size, wide) for line in lines] if lines[0].strip() else []


def _fitted(words: str, size: int, wide: int) -> str:
    text, font = drawable(words), _font(size)
    while text and font.getlength(text) > wide:
        text = f"{text[:-2]}…" if len(text) > 2 else ""
    return text


def drawable(words: str, font: str | None = WIDE_FONT) -> str:
    """In the letters of the font. Pillow's own has no accents; what a font lacks is `[3 characters]`."""
    if font is not None:
        whole = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", words))
        return re.sub(r"[\U00010000-\U0010ffff\ufe00-\ufe0f]+", _lacking, whole)
    plain = unicodedata.normalize("NFKD", words.translate(_PLAINER).replace("…", "\0")).replace("\0", "…")
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return re.sub(r"[^ -~·…]+", _lacking, letters)


_PLAINER = str.maketrans("\u2013\u2014\u2018\u2019\u201c\u201d\u00a0", "--''\"\" ")


def _lacking(found: re.Match[str]) -> str:
    return f"[{len(found[0])} character{'s' if len(found[0]) > 1 else ''}]"


# --- a video ----------------------------------------------------------------------------------------


def _film(path: Path, canvas: Image.Image, colour: tuple[int, int, int], request: Mapping[str, Json]) -> None:
    """One second is coded, and repeated; the mark is where it was when it begins again."""
    pixels = canvas.width * canvas.height
    fps = 24 if pixels <= 1_300_000 else 15 if pixels <= 2_500_000 else 8
    seconds = seconds_of(request)
    has_sound = any(check.name == "has_audio" for check in c.wanted(None, request, "video"))
    options = {"movflags": "faststart", "fflags": "bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=fps, options=_coding(fps))
        stream.width, stream.height, stream.pix_fmt = canvas.width, canvas.height, "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        sound = container.add_stream("aac", rate=_RATE, layout="mono") if has_sound else None
        packets = [packet for frame in _frames(canvas, colour, fps) for packet in stream.encode(frame)]
        packets += stream.encode(None)
        made = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets if packet.size
        ]
        for second in range(seconds):
            for data, pts, dts, is_key in made:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, packets[0].time_base, is_key
                packet.pts, packet.dts = (pts or 0) + second * fps, (dts or 0) + second * fps
                packet.duration = 1
                container.mux(packet)
        if sound is not None:
            container.mux(list(_tone(sound, seconds, colour)))


def _coding(fps: int) -> dict[str, str]:
    exact = f"keyint={fps}:min-keyint={fps}:scenecut=0:bframes=0:rc-lookahead=0:sync-lookahead=0"
    return {"preset": "ultrafast", "qp": "24", "x264-params": exact}


def _frames(canvas: Image.Image, colour: tuple[int, int, int], fps: int) -> Iterator[Any]:
    """The card with a dial that goes round once, and a light that runs along its lower edge."""
    width, height = canvas.size
    side = round(min(width, height) * 0.045) * 2
    left, top = (width - side - side * 2 // 3) & ~1, (height - side - side * 2 // 3) & ~1
    back = canvas.crop((left, top, left + side, top + side))
    pixels = _frame_of(canvas).reformat(format="yuv420p").to_ndarray()
    strip = slice(height - max(4, height // 90), height)
    ground, across = pixels[strip, :width].astype(np.float64), np.arange(width)
    for number in range(fps):
        _blit(pixels, width, height, left, top, _dial(back, colour, number / fps))
        light = 170 * np.exp(-(((across - width * (number + 0.5) / fps) / (width / 16)) ** 2))
        pixels[strip, :width] = np.minimum(ground + light, 235)
        frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        frame.pts = number
        yield frame


def _frame_of(picture: Image.Image) -> Any:
    return av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")


def _dial(back: Image.Image, colour: tuple[int, int, int], part: float) -> Any:
    """Drawn twice as large, so that its edges are smooth."""
    side = back.width
    big = back.resize((side * 2, side * 2))
    pen = ImageDraw.Draw(big, "RGBA")
    edge = side // 8
    box = (edge, edge, side * 2 - edge, side * 2 - edge)
    pen.ellipse(box, fill=(0, 0, 0, 90), outline=(*colour, 255), width=max(2, side // 14))
    pen.pieslice(box, -90, -90 + max(360 * part, 1), fill=(*colour, 255))
    return _frame_of(big.resize((side, side))).reformat(format="yuv420p").to_ndarray()


def _blit(pixels: Any, width: int, height: int, left: int, top: int, patch: Any) -> None:
    """A square patch into a picture, plane by plane (4:2:0)."""
    side = patch.shape[1]
    flat, small = pixels.reshape(-1), patch.reshape(-1)
    full, part = width * height, side * side
    planes = ((0, 0, 1), (full, part, 2), (full + full // 4, part + part // 4, 2))
    for start, from_, step in planes:
        wide, high, edge = width // step, height // step, side // step
        plane = flat[start : start + wide * high].reshape(high, wide)
        piece = small[from_ : from_ + edge * edge].reshape(edge, edge)
        plane[top // step : top // step + edge, left // step : left // step + edge] = piece


def _tone(stream: Any, seconds: int, colour: tuple[int, int, int]) -> Iterator[Any]:
    """A soft chord, of another pitch for each colour, that swells and fades once a second."""
    moments = np.arange(seconds * _RATE) / _RATE
    pitch = 220 * 2 ** (round(12 * colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0]) / 12)
    wave = sum(np.sin(2 * math.pi * pitch * times * moments) / times for times in (1, 1.5, 2))
    wave = 0.12 * wave * (0.65 - 0.35 * np.cos(2 * math.pi * moments))
    for start in range(0, len(wave), 1024):
        piece = wave[start : start + 1024].astype(np.float32)[None, :]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _RATE, start
        yield from stream.encode(frame)
    yield from stream.encode(None)
