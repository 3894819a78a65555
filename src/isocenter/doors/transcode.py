"""Another encoding of the same image, for a peer that cannot take the stored one. Pixels stay what they were."""

from __future__ import annotations

from io import BytesIO

from isocenter.errors import Refused

__all__ = ["transcode"]


def transcode(data: bytes, syntax: str) -> bytes:
    """A Part 10 file re-encoded to a native (uncompressed) transfer syntax.

    The SOP Instance UID stays: decompressing does not change a pixel (PS3.4 B.4.1.3 asks for a new UID only where a
    lossy step is added). A lossy image keeps its Lossy Image Compression marks.

    Raises:
        Refused: the pixels cannot be decoded, or the target is a compressed syntax.
    """
    from pydicom import dcmread
    from pydicom.uid import UID

    target = UID(syntax)
    if target.is_compressed:
        raise Refused(f"Transfer syntax {target.name}", "only native syntaxes are made on the way out", "")
    try:
        dataset = dcmread(BytesIO(data))
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            dataset.decompress(generate_instance_uid=False)
        if target.is_little_endian and not dataset.file_meta.TransferSyntaxUID.is_little_endian:
            # Whole words of pixels are kept as bytes by pydicom; they must be turned here.
            _turn_words(dataset)
        dataset.file_meta.TransferSyntaxUID = target
        made = BytesIO()
        dataset.save_as(
            made, implicit_vr=target.is_implicit_VR, little_endian=target.is_little_endian, enforce_file_format=True
        )
    except Exception as error:
        raise Refused(
            f"An image that cannot be re-encoded to {target.name}",
            type(error).__name__,
            "retrieve it in the transfer syntax that is stored",
        ) from error
    return made.getvalue()


def _turn_words(dataset: object) -> None:
    from pydicom.dataset import Dataset

    assert isinstance(dataset, Dataset)
    if dataset.get("BitsAllocated", 8) > 8 and "PixelData" in dataset:
        raw = bytearray(dataset.PixelData)
        width = dataset.BitsAllocated // 8
        turned = bytearray(len(raw))
        for place in range(width):
            turned[place::width] = raw[width - 1 - place :: width]
        dataset.PixelData = bytes(turned)
