"""Image files of many kinds: the right pixels, or an error that says why not."""

import warnings

import numpy as np
import pytest
from photos import COLOURS, GREY, pillow, save

from cnnkit.data.decoding import Form, check_form, decode, read_header

WHOLE = {mode: Form(GREY.shape, mode, "stretch", 0) for mode in ("L", "RGB", "RGBA", "I;16", "F")}


@pytest.fixture
def image():
    return pillow()


def test_grey_and_colours(tmp_path):
    grey, colours = save(tmp_path / "g.png", GREY), save(tmp_path / "c.png")
    np.testing.assert_array_equal(decode(grey, WHOLE["L"]), GREY[..., None])
    np.testing.assert_array_equal(decode(grey, WHOLE["RGB"]), np.repeat(GREY[..., None], 3, 2))
    np.testing.assert_array_equal(decode(grey, WHOLE["F"]), GREY[..., None].astype(np.float32))
    np.testing.assert_array_equal(decode(colours, WHOLE["RGB"]), COLOURS)
    assert decode(colours, WHOLE["RGBA"])[..., 3].min() == 255
    luma = COLOURS @ [0.299, 0.587, 0.114]
    assert np.abs(decode(colours, WHOLE["L"])[..., 0] - luma).max() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photos_are_turned_upright(image, orientation, suffix, tmp_path):
    exif = image.Exif()
    exif[0x0112] = orientation
    ways = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Pillow's transpose, to lay it down
    lying = image.fromarray(COLOURS)
    if orientation > 1:
        lying = lying.transpose(image.Transpose(ways[orientation]))
    path = save(
        tmp_path / f"photo.{suffix}",
        lying,
        exif=exif,
        **({"quality": 95} if suffix == "jpg" else {}),
    )
    assert read_header(path).size == GREY.shape
    near = np.abs(decode(path, WHOLE["RGB"]).astype(int) - COLOURS)
    assert near.max() <= (30 if suffix == "jpg" else 0)
    assert near.mean() < 4
    small = decode(path, Form((6, 8), "RGB", "stretch", 0)).astype(int)  # by a smaller decoding
    assert np.abs(small - COLOURS[2::5, 2::5]).mean() < 6


def test_transparent_pixels_are_white_without_alpha(image, tmp_path):
    alpha = np.zeros(GREY.shape, np.uint8)
    alpha[:10] = 255
    path = save(tmp_path / "a.png", np.dstack([COLOURS, alpha]))
    found = decode(path, WHOLE["RGB"])
    np.testing.assert_array_equal(found[:10], COLOURS[:10])
    assert (found[10:] == 255).all()
    np.testing.assert_array_equal(decode(path, WHOLE["RGBA"])[..., 3], alpha)
    palette = image.fromarray(COLOURS).quantize(4)
    path = save(tmp_path / "p.png", palette, transparency=0)
    assert (decode(path, WHOLE["RGB"])[np.asarray(palette) == 0] == 255).all()


def test_palettes_bits_and_cmyk(image, tmp_path):
    palette = image.fromarray(COLOURS).quantize(16)
    wanted = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(decode(save(tmp_path / "p.png", palette), WHOLE["RGB"]), wanted)
    bits = decode(save(tmp_path / "b.png", GREY > 30), WHOLE["L"])
    np.testing.assert_array_equal(bits[..., 0], np.where(GREY > 30, 255, 0))
    cmyk = save(tmp_path / "c.jpg", image.fromarray(COLOURS).convert("CMYK"), quality=95)
    assert np.abs(decode(cmyk, WHOLE["RGB"]).astype(int) - COLOURS).mean() < 4


def test_deep_images_keep_their_numbers(tmp_path):
    deep = GREY.astype(np.uint16) * 300
    path = save(tmp_path / "d.png", deep)
    found = decode(path, WHOLE["I;16"])
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[..., 0], deep)
    np.testing.assert_array_equal(decode(path, WHOLE["F"])[..., 0], deep)
    shrunk = decode(path, Form((15, 20), "I;16", "stretch", 0))[..., 0].astype(float)
    assert (
        np.abs(shrunk[1:-1, 1:-1] - deep.reshape(15, 2, 20, 2).mean((1, 3))[1:-1, 1:-1]).max() < 2
    )
    floats = GREY / np.float32(7)
    np.testing.assert_array_equal(
        decode(save(tmp_path / "f.tif", floats), WHOLE["F"])[..., 0], floats
    )


@pytest.mark.parametrize(
    ("pixels", "mode", "said"),
    [
        (GREY.astype(np.uint16), "L", "must have 8 bits a channel for mode='L', got mode I;16"),
        (GREY.astype(np.uint16), "RGB", "read it with mode='I;16' or 'F'"),
        (GREY.astype(np.float32), "RGBA", "read it with mode='F'"),
        (GREY.astype(np.float32), "I;16", "one channel of integers, got mode F"),
        (GREY.astype(np.int32) * 1000, "I;16", "from 0 to 65535 for mode='I;16', got 0 to 68000"),
        (COLOURS, "F", "must have one channel, got mode RGB"),
        (COLOURS, "I;16", "one channel of integers, got mode RGB"),
    ],
)
def test_modes_that_would_lose_numbers_are_refused(pixels, mode, said, tmp_path):
    path = save(tmp_path / "image.tif", pixels)
    with pytest.raises(ValueError, match=said) as caught:
        decode(path, WHOLE[mode])
    assert str(path) in str(caught.value)


def test_of_several_frames_the_first_is_taken_with_a_warning(image, tmp_path):
    frames = [image.fromarray(GREY + k) for k in range(3)]
    for name in ("stack.tif", "moving.gif"):
        path = save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
        assert read_header(path).frames == 3
        with pytest.warns(UserWarning, match=f"{name} has 3 frames, of which the first"):
            first = decode(path, WHOLE["L"])
        np.testing.assert_array_equal(first[..., 0], GREY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        third = decode(tmp_path / "stack.tif", WHOLE["L"], frame=2)
    np.testing.assert_array_equal(third[..., 0], GREY + 2)
    with pytest.raises(ValueError, match="there is no frame 9"):
        decode(tmp_path / "stack.tif", WHOLE["L"], frame=9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is no image"),
        (b"hello", "it is no image"),
        (None, "No such file"),
        (300, "runcated"),
    ],
    ids=repr,
)
def test_files_that_cannot_be_read_are_named(content, said, tmp_path):
    path = save(tmp_path / "photo.jpg")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else path.read_bytes()[:content])
    with pytest.raises(OSError, match=said) as caught:
        decode(path, WHOLE["RGB"])
    assert "photo.jpg" in str(caught.value)


def test_images_of_too_many_pixels_are_refused(image, tmp_path, monkeypatch):
    path = save(tmp_path / "bomb.png", image.new("L", (300, 200)))
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 20_000)  # Pillow refuses twice as many
    with pytest.raises(ValueError, match=r"bomb\.png.*exceeds limit"):
        decode(path, WHOLE["L"])
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 40_000)  # and warns of more
    with pytest.warns(image.DecompressionBombWarning):
        decode(path, WHOLE["L"])


def ramp(height, width):
    """Return an image whose first channel grows to the right, and the second downwards."""
    return np.stack(
        [
            np.tile(np.linspace(0, 255, width), (height, 1)),
            np.tile(np.linspace(0, 255, height)[:, None], (1, width)),
            np.full((height, width), 77),
        ],
        axis=-1,
    ).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(40, 80), (80, 40), (60, 60), (5, 3), (1, 1)])
@pytest.mark.parametrize("size", [(20, 20), (10, 30), (33, 7)])
def test_fits(height, width, size, tmp_path):
    path = save(tmp_path / "ramp.png", ramp(height, width))
    found = {
        fit: decode(path, Form(size, "RGB", fit, 9)).astype(int)
        for fit in ("stretch", "crop", "pad")
    }
    assert {array.shape for array in found.values()} == {(*size, 3)}
    if min(height, width) < 40:
        return
    stretched, cropped, padded = found.values()
    assert stretched[..., 0].max() > 230
    assert stretched[..., 0].min() < 25
    ratio = max(size[0] / height, size[1] / width)  # of the part that is kept, around the middle
    share = size[1] / ratio / width
    assert np.ptp(cropped[size[0] // 2, :, 0]) == pytest.approx(
        255 * share * (1 - 1 / size[1]), abs=14
    )
    assert cropped[..., 0].mean() == pytest.approx(127, abs=6)
    inner = min(size[0] / height, size[1] / width)
    filled = (padded == 9).all(axis=-1).sum()
    assert filled == pytest.approx(np.prod(size) - height * width * inner**2, abs=max(size))
    assert (padded[size[0] // 2, size[1] // 2, 2]) == 77


def test_padding_may_reflect(tmp_path):
    path = save(tmp_path / "ramp.png", ramp(10, 20))
    found = decode(path, Form((20, 20), "RGB", "pad", "reflect"))
    np.testing.assert_array_equal(found[5:15], ramp(10, 20))
    np.testing.assert_array_equal(found[4], found[6])
    wide = decode(path, Form((50, 20), "RGB", "pad", "reflect"))  # further than one reflection
    assert (wide[..., 2] == 77).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 0}, "size must be .height, width., two positive ints, or None, got 0"),
        ({"size": (3,)}, "size must be"),
        ({"size": "8x8"}, "got '8x8'"),
        ({"size": 2.5}, "got 2.5"),
        ({"size": (2.5, 3)}, "two positive ints"),
        ({"size": True}, "got True"),
        ({"mode": "rgb"}, "mode must be one of"),
        ({"fit": "cut"}, "fit must be one of"),
        ({"fill": "white"}, 'fill must be "reflect", a number or 3 numbers'),
        ({"fill": (1, 2)}, "got .1, 2."),
        ({"fill": np.inf}, "got inf"),
        ({"fill": 256}, "from 0 to 255"),
    ],
    ids=repr,
)
def test_forms_that_are_none_are_refused(given, said):
    with pytest.raises(ValueError, match=f"^Reader: .*{said}"):
        check_form(**({"size": 8, "mode": "RGB", "fit": "pad", "fill": 0} | given), owner="Reader")
