"""What is read out of prose, sentence by sentence; the sentences are of our own making."""

from __future__ import annotations

import pytest

from kiejobs.core.models.schema_check import unsafe_reason
from kiejobs.importer.files import file_facts, file_rule, largest, media_types
from kiejobs.importer.prose import claims_in

MB = 2**20


@pytest.mark.parametrize(
    ("prose", "least", "most"),
    [
        ("The prompt (Max length: 500)", None, 500),
        ("The prompt (Max length: 5,000 characters)", None, 5000),
        ("Maximum length: **800** characters.", None, 800),
        ("Maximum text length is `2500`", None, 2500),
        ("Up to 20,000 characters.", None, 20_000),
        ("Must not exceed 300 characters", None, 300),
        ("Limited to 90 characters", None, 90),
        ("At most 1000 Chinese characters", None, 1000),
        ("(Min length: 3, Max length: 20000 characters)", 3, 20_000),
        ("A minimum of 2 characters and a maximum of 5,000 characters", 2, 5000),
        ("Max length: 3-3000 characters", 3, 3000),
        ("Empty, or 0 \N{EN DASH} 2500 characters long", 0, 2500),
        ("500 characters max", None, 500),
        ("最大长度: 1500", None, 1500),
        ("Max 5,000 characters, or 2,500 characters in Chinese", None, 5000),
        ("Cannot be longer than 90. No longer than 300 characters", None, 300),
        ("Keep it under 200 characters", None, 200),
        ("A 5,000-character limit", None, 5000),
        ("maxLength=800", None, 800),
        ("Recommended 100-500 characters", None, None),
        ("提示词\uff0c不超过 2500 个字符", None, 2500),
        ("长度 2-5000 字符", 2, 5000),
        ("500 字以内", None, 500),
        ("建议 100-500 字符", None, None),
        ("字符数上限 800", None, 800),
        ("不得超过 1,000 个汉字", None, 1000),
        ("Max length: 3k characters", None, None),
        ("All texts combined must not exceed 5000 characters", None, None),
        ("Up to 9 images", None, None),
        ("Up to 500 characters per shot", None, None),
        ("Each word under 20 characters", None, None),
        ("Maximum 20 characters for each tag", None, None),
        ("每段最多 500 字\uff0c最多 6 段", None, None),
        ("Up to 2500 characters. Each shot up to 500 characters.", None, 2500),
        ("At most 300 characters, as per the manual", None, 300),
        ("字符数不超过1000", None, 1000),
        ("提示词长度\uff1a3\N{EN DASH}2000", 3, 2000),
        ("限 1500 字符", None, 1500),
        ("不超过2.5k字符", None, None),
        ("视频长度 3-10 秒", None, None),
        ("Prompt for each shot, at most 500 characters, 6 shots", None, None),
        ("", None, None),
    ],
)
def test_lengths(prose: str, least: int | None, most: int | None) -> None:
    assert [claims_in(prose).get(key) for key in ("minLength", "maxLength")] == [least, most]


@pytest.mark.parametrize(
    ("prose", "least", "most"),
    [
        ("Length of the clip, 4-15 seconds.", 4, 15),
        ("Must be between 3 and 15. Defaults to 5.", 3, 15),
        ("Valid range is an integer from `2` to `10`.", 2, 10),
        ("(Min: -1, Max: 2147483647, Step: 1)", -1, 2_147_483_647),
        ("- Minimum: `2`\n- Maximum: `15`\n- Default: `5`", 2, 15),
        ("Range: `0-2147483647`. Left out, one is drawn.", 0, 2_147_483_647),
        ("From 0.5 to 2.0", 0.5, 2),
        ("[2, 15] s", 2, 15),
        ("Range is 1-4 when `a` is false; range is 1-12 when it is true.", 1, 12),
        ("At least 3.", 3, None),
        ("Number of steps, no more than 50", None, 50),
        ("Made from the first frame", None, None),
        ("Between 9 and 3", None, None),
        ("0 ~ 1, step 0.1", 0, 1),
        ("Temperature 0.0 - 2.0, recommended 0.7", 0, 2),
        ("Recommended range 3-7. Range: 1-20", 1, 20),
        ("max. 30", None, 30),
        ("3 \N{LESS-THAN OR EQUAL TO} x \N{LESS-THAN OR EQUAL TO} 15", 3, 15),
        ("视频时长\uff0c4 到 15 秒", 4, 15),
        ("取值范围\uff1a[2, 15]", 2, 15),
        ("取值 0~1\uff0c步长 0.1", 0, 1),
        ("最小值 0\uff0c最大值 9", 0, 9),
        ("大于等于 1 且小于等于 10", 1, 10),
        ("必须为 1 到 10 之间的整数", 1, 10),
        ("4-15 or -1", 4, 15),
        ("-1 or between 4 and 15", 4, 15),
        ("Must be -1 or in 4..15", 4, 15),
        ("4 到 15 秒\uff0c也可传 -1", 4, 15),
        ("-1 to 1", -1, 1),
        ("Range: 4 to 15, or -1.", 4, 15),
        ("How long, in seconds. 4 to 15, or set to -1 for automatic", 4, 15),
        ("Range: -1 or 4 to 15.", 4, 15),
        ("Between 4 and 15 (or -1 for auto)", 4, 15),
        ("4 \N{EM DASH} 15, -1 auto", 4, 15),
        ("4 秒至 15 秒\uff0c或 -1\u3002", 4, 15),
        ("Video length, 4 through 15 seconds", 4, 15),
        ("4\uff5e15 的整数\uff0c或 -1\u3002", 4, 15),
        ("-1/4-15", 4, 15),
        ("Speed 0.7-1.2x", 0.7, 1.2),
        ("0.7 to 1.2 times", 0.7, 1.2),
        ("0.7 \N{EN DASH} 1.2 (recommended 1.0)", 0.7, 1.2),
        ("Temperature 0-1.5 controls randomness", 0, 1.5),
        ("语速\uff0c0.7-1.2 倍", 0.7, 1.2),
        ("Audio, 0.5-1.5 MB", None, None),
        ("At most 2.5k", None, None),
        ("max 10M", None, None),
        ("1 到 10 之间的整数", 1, 10),
        ("Up to 3 minutes", None, None),
        ("0到100之间", 0, 100),
        ("时长 3-15\uff08秒\uff09", 3, 15),
        ("上限 100\uff0c下限 10", 10, 100),
    ],
)
def test_ranges(prose: str, least: float | None, most: float | None) -> None:
    assert [claims_in(prose).get(key) for key in ("minimum", "maximum")] == [least, most]


@pytest.mark.parametrize(
    ("prose", "least", "most"),
    [
        ("Up to 9 images", None, 9),
        ("supports up to 14 images", None, 14),
        ("Maximum 3 reference videos", None, 3),
        ("Exactly one image is required.", 1, 1),
        ("Limited to exactly 1 image.", 1, 1),
        ("Provide 1\N{EN DASH}9 images, each as an address", 1, 9),
        ("Optional reference images (0-5).", 0, 5),
        ("Maximum 5 character IDs allowed.", None, 5),
        ("An array containing a single image URL.", 1, 1),
        ("Only one video URL is allowed.", 1, 1),
        ("Maximum number of files: 4", None, 4),
        ("No more than 2 boxes per image", None, None),
        ("Up to 3 videos, total duration of all videos at most 15 seconds", None, 3),
        ("At least 2 and at most 4 reference image URLs", 2, 4),
        ("Number of images: 1-3", 1, 3),
        ("A single image URL in an array", 1, 1),
        ("1 video URL. MP4/MOV", 1, 1),
        ("Array of image URLs (max 4)", None, 4),
        ("Array of image URLs (max 10MB)", None, None),
        ("images: minimum 1, maximum 4", 1, 4),
        ("minimum 300, maximum 6000 px", None, None),
        ("No more than nine (9) images", None, 9),
        ("It is recommended to upload 3 images", None, None),
        ("图片 URL 列表\uff0c最多 9 张", None, 9),
        ("必须且仅能包含一张图片 URL", 1, 1),
        ("至少2张\uff0c最多4张图片", 2, 4),
        ("单张图片不超过 10MB", None, None),
        ("The total number of images cannot exceed 5 images", None, None),
        ("Only 1 image is supported, the rest will be ignored", None, None),
        ("All images must be at least 256x256px", None, None),
        ("Max 10MB per image, up to 5 images", None, 5),
        ("Each image must contain 1-3 faces", None, None),
        ("For each element, up to 4 images", None, None),
        ("3 to 5 images per request", 3, 5),
        ("最多 9 张\uff0c每张图片最大 10MB", None, 9),
        ("每张图片最多 3 个主体", None, None),
        ("Up to 3 images per element, up to 4 elements", None, None),
        ("Max 3 items. Max 50 characters per item.", None, 3),
        ("Up to 3 clips of 2 to 15 seconds each", None, 3),
        ("First frame and last frame: two images at most", None, 2),
        ("Two images at most 10MB", None, None),
        ("Maximum images: 7", None, 7),
        ("Max images: 10 MB", None, None),
        ("Up to 7 (seven) reference images", None, 7),
        ("Image count \N{LESS-THAN OR EQUAL TO} 7", None, 7),
        ("Number of images must not exceed 4", None, 4),
        ("The number of faces must not exceed 2", None, None),
        ("可上传1到4张图片", 1, 4),
        ("数量上限为 5", None, 5),
        ("图片数量不得超过 5", None, 5),
        ("人物数量不超过 3", None, None),
        ("不支持超过3个文件", None, 3),
        ("仅支持 1 张", 1, 1),
        ("仅支持单张图片", 1, 1),
        ("仅支持单个人物", None, None),
        ("参考图数量 0\N{EN DASH}3", 0, 3),
    ],
)
def test_numbers_of_items(prose: str, least: int | None, most: int | None) -> None:
    assert [claims_in(prose).get(key) for key in ("minItems", "maxItems")] == [least, most]


@pytest.mark.parametrize(
    ("prose", "step"),
    [
        ("(Min: 0, Max: 1, Step: 0.1)", 0.1),
        ("in steps of 5", 5),
        ("in increments of 0.5", 0.5),
        ("a multiple of 8", 8),
        ("must be divisible by 16", 16),
        ("宽度\uff0c必须是 8 的倍数", 8),
        ("one step at a time", None),
    ],
)
def test_steps(prose: str, step: float | None) -> None:
    assert claims_in(prose).get("multipleOf") == step


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("4-30, or -1 for automatic", -1),
        ("Use -1 for random.", -1),
        ("0 means none", 0),
        ("-1 (automatic)", -1),
        ("-1, or 4 to 15", -1),
        ("Range: [4, 15] or -1", -1),
        ("Random if 0", 0),
        ("From -1 to 1", None),
        ("(Min: -1, Max: 9)", None),
        ("-1 enables chance", -1),
        ("4 到 15 秒\uff0c-1 表示自动", -1),
        ("Between 1 and 9", None),
        ("Range: 4 to 15, or -1.", -1),
        ("4-15. Set to -1 for automatic", -1),
        ("4 ~ 15 (-1 = auto)", -1),
        ("Values: -1, 4-15", -1),
        ("取值 4 到 15\uff0c设为-1时自动", -1),
        ("Greater than -1", None),
        ("4 to 15, except -1, which means auto", -1),
        ("4 to 15 seconds. -1 is not supported.", None),
        ("[-1, 9]", None),
        ("Between -1 and 9", None),
        ("4 to 15, or -1 to match up to 30 seconds", -1),
        ("4 to 15 or - 1", -1),
        ("4 to 15. Must not be set to -1.", None),
        ("4 to 15. Don't use -1.", None),
        ("4 to 15. -1 can't be used.", None),
        ("4-15\uff0c不支持 -1", None),
        ("4-15\uff0c-1 无效", None),
    ],
)
def test_values_with_a_meaning_of_their_own(prose: str, value: int | None) -> None:
    assert claims_in(prose).get("special") == value


@pytest.mark.parametrize(
    ("prose", "values"),
    [
        ("Valid values: `a`, `b`.", ("a", "b")),
        ("Options: 'none', 'regular', 'high'. More text.", ("none", "regular", "high")),
        ("Must be either 480p or 720p.", ("480p", "720p")),
        ("Available values: 720P, 1080P (default).", ("720P", "1080P")),
        ('One of "std" and "pro"', ("std", "pro")),
        ("Allowed: 5, 10", ("5", "10")),
        ("Options: 5, 10, 15 seconds", ("5", "10", "15")),
        ("Supports 5 or 10 seconds", ("5", "10")),
        ("Supports 5 or 10 images", ()),
        ("Supports 1080p and above", ()),
        ("Values: 16, 24, or 30", ("16", "24", "30")),
        ("- `6`: six seconds\n- `10`: ten seconds", ("6", "10")),
        ("Styles such as 'calm' or 'wild'", ()),
        ("Options: 'calm', 'wild', etc.", ()),
        ("Options include realistic, anime; more to come", ()),
        ("Options: realistic, anime; more to come", ()),
        ("可选值\uff1acalm、wild 等", ()),
        ("One of the finest models there is", ()),
        ("Valid values are described elsewhere", ()),
        ("可选值\uff1a720p、1080p", ("720p", "1080p")),
        ("仅支持 5 秒、10 秒", ("5", "10")),
        ("5秒或10秒", ("5", "10")),
        ("时长\uff1a5、10、15\uff08秒\uff09", ("5", "10", "15")),
        ("支持 16:9、9:16、1:1 三种比例", ("16:9", "9:16", "1:1")),
        ("支持 128 种语言", ()),
        ("取值\uff1astd 或 pro", ("std", "pro")),
        ("Values: -1, 4-15", ()),
        ("支持中文、英文", ()),
    ],
)
def test_listed_values(prose: str, values: tuple[str, ...]) -> None:
    assert claims_in(prose).get("enum", ()) == values


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("Default value: `true`.", "true"),
        ('Default value: "BALANCED"', "BALANCED"),
        ("Defaults to 5.", "5"),
        ("Default is 16:9", "16:9"),
        ("By default there is none", None),
    ],
)
def test_defaults(prose: str, value: str | None) -> None:
    assert claims_in(prose).get("said") == value


@pytest.mark.parametrize(
    ("prose", "types", "size"),
    [
        (
            "Accepted types: image/jpeg, image/png; Max size: 10.0MB",
            ("image/jpeg", "image/png"),
            10 * MB,
        ),
        (
            "Format: JPEG, JPG, WEBP. File size: up to 7.5 MB",
            ("image/jpeg", "image/webp"),
            int(7.5 * MB),
        ),
        ("Types: image/jpg, audio/mp3", ("image/jpeg", "audio/mpeg"), None),
        ("Video format: mp4, mov. Not exceeding 50 MB", ("video/mp4", "video/quicktime"), 50 * MB),
        ("At most 10MB. All together: total size 100MB.", (), 10 * MB),
        ("Max size: 5.0MB. Small ones of 1MB are faster.", (), 5 * MB),
        ("At most 500 KB", (), 500 * 1024),
        ("Up to 9 URLs (jpeg, png; at most 10MB each)", ("image/jpeg", "image/png"), 10 * MB),
        ("A picture", (), None),
        ("max size 10,240 KB", (), 10 * MB),
        ("最大 10M", (), 10 * MB),
        ("max 10M; 12M pixels", (), 10 * MB),
        ("Accepts all image types except GIF", (), None),
        (
            "Formats: jpg, png. Unsupported formats: gif. Not exceeding 10M",
            ("image/jpeg", "image/png"),
            10 * MB,
        ),
        ("JPEG/PNG, GIF is not supported", ("image/jpeg", "image/png"), None),
        ("Formats: jpg, png, but not webp or gif", ("image/jpeg", "image/png"), None),
        ("支持 jpg、png 格式\uff0c不支持 gif", ("image/jpeg", "image/png"), None),
        ("wav/mp3, at most 15MB", ("audio/wav", "audio/mpeg"), 15 * MB),
        ("图片\uff0c支持 jpg、png 格式\uff0c不超过 10MB", ("image/jpeg", "image/png"), 10 * MB),
    ],
)
def test_files(prose: str, types: tuple[str, ...], size: int | None) -> None:
    assert (media_types(prose), largest(prose)) == (types, size)


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("first_frame_url", ["image/*"]),
        ("reference_images", ["image/*"]),
        ("image_or_video_url", []),
        ("audio_url", []),
        ("input_url", []),
    ],
)
def test_where_no_type_is_named_a_picture_is_one_in_any_format(name: str, types: list[str]) -> None:
    assert file_rule(name, "An address.", "")["media_types"] == types


def test_facts_of_files_are_in_our_words() -> None:
    prose = "Between 3 to 30 seconds, at least 256x256px, aspect ratio 2:5 to 5:2."
    assert file_facts(prose) == (
        "3 to 30 seconds long",
        "at least 256 x 256 pixels",
        "aspect ratio from 2:5 to 5:2",
    )


@pytest.mark.parametrize("read", [claims_in, media_types])
@pytest.mark.parametrize(
    "piece", ["0 ", "-", "up to ", "max ", "[1, ", "`a`, ", "options: ", "1-", "image/", "限", "数量"]
)
def test_no_prose_takes_long(read: object, piece: str) -> None:
    """A matcher that backtracks would be here for hours, not for a blink."""
    assert callable(read)
    read(piece * 20_000)


def test_patterns_of_pages_are_held_to_the_rule_of_all_schemas() -> None:
    assert unsafe_reason("^(a+)+$") is not None
    assert unsafe_reason("^#[0-9a-f]{6}$") is None
