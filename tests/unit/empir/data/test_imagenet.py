"""ImageNet's folders and the preprocessing of its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from empir.data.readers import imagenet
from hwsim.errors import SpecError
from tests.unit.empir.data.written import write_imagenet


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_imagenet(folder / "val", images=2)
    return folder


def test_every_image_is_there_once_under_its_folder_s_place(root: Path) -> None:
    found = imagenet.read("test", root)
    assert len(found) == len(set(found.files)) == 2000
    assert found.classes[:2] == ("n00000000", "n00000001")
    assert [f"n{label:08}" for label in found.labels.tolist()] == [file.split("/")[0] for file in found.files]


def test_any_beginning_mixes_the_classes(root: Path) -> None:
    assert len(set(imagenet.read("test", root).labels[:100].tolist())) > 80


def test_images_are_decoded_in_the_order_asked_for(root: Path) -> None:
    found = imagenet.read("test", root)
    chosen = found.images(torch.tensor([3, 1]))
    assert chosen.shape == (2, 3, 224, 224)
    assert chosen.dtype == torch.float32
    assert torch.equal(chosen[1:], found.images(slice(1, 2)))
    assert torch.equal(chosen.flip(0)[:1], found.limited(2).images(slice(1, 2)))


@pytest.mark.parametrize(
    ("width", "height", "size", "box"),
    [
        (500, 375, (341, 256), (58, 16, 282, 240)),
        (375, 500, (256, 341), (16, 58, 240, 282)),
        (256, 256, (256, 256), (16, 16, 240, 240)),
        (100, 50, (512, 256), (144, 16, 368, 240)),
    ],
)
def test_the_shorter_side_becomes_256_and_the_centre_is_kept(
    width: int, height: int, size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    assert imagenet.crop_of(width, height) == (size, box)


def saved(folder: Path, pixels: np.ndarray, mode: str = "RGB") -> np.ndarray:
    """The first image of a split in which every image has these pixels, as read: uint8 [224, 224, 3]."""
    write_imagenet(folder / "val")
    Image.fromarray(pixels).convert(mode).save(folder / "val" / "n00000000" / "0.JPEG", quality=95, subsampling=0)
    found = imagenet.read("test", folder)
    place = found.files.index("n00000000/0.JPEG")
    return (found.images(slice(place, place + 1))[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def test_an_image_of_the_right_size_is_only_cropped(tmp_path: Path) -> None:
    ramp = np.stack(np.broadcast_arrays(np.arange(256)[:, None], np.arange(256)[None, :], 128), axis=-1)
    found = saved(tmp_path, ramp.astype(np.uint8)).astype(int)
    assert np.abs(found - ramp[16:240, 16:240]).max() <= 4  # JPEG loses a little


def test_grey_and_four_colour_images_become_rgb(tmp_path: Path) -> None:
    grey = np.full((300, 260, 3), 77, np.uint8)
    for mode in ("L", "CMYK"):
        found = saved(tmp_path / mode, grey, mode)
        assert found.shape == (224, 224, 3)
        assert np.abs(found.astype(int) - 77).max() <= 3


def test_every_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_imagenet(tmp_path / "val", images=2)
    for name in ("0.JPEG", "1.JPEG"):
        file = tmp_path / "val" / "n00000005" / name
        file.unlink()
        file.write_bytes(b"not a JPEG")
    found = imagenet.read("test", tmp_path)
    broken = (found.labels == 5).nonzero()[:, 0]
    with pytest.raises(SpecError) as caught:
        found.images(torch.cat([torch.tensor([0]), broken]))
    assert sorted(Path(fault.file or "").name for fault in caught.value.faults) == ["0.JPEG", "1.JPEG"]


def test_a_file_of_another_size_is_another_data_set(tmp_path: Path) -> None:
    write_imagenet(tmp_path / "val")
    before = imagenet.read("test", tmp_path).fingerprint()
    file = tmp_path / "val" / "n00000999" / "0.JPEG"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content + b"\0")
    assert imagenet.read("test", tmp_path).fingerprint() != before


def test_a_missing_folder_is_asked_for(root: Path) -> None:
    with pytest.raises(SpecError, match=r"train is no folder; register at https://image-net\.org.*val/n01440764/"):
        imagenet.read("train", root)
    with pytest.raises(SpecError, match="there is no --data-dir"):
        imagenet.read("train")


def test_a_part_of_the_classes_is_not_imagenet(tmp_path: Path) -> None:
    write_imagenet(tmp_path / "val")
    (tmp_path / "val" / "n00000003" / "0.JPEG").unlink()
    with pytest.raises(SpecError, match="has 1 folders without images"):
        imagenet.read("test", tmp_path)
    (tmp_path / "val" / "n00000003").rmdir()
    with pytest.raises(SpecError, match="has 999 folders of classes"):
        imagenet.read("test", tmp_path)
