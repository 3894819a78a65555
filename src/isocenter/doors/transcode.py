"""Another encoding of the same image, for a peer that cannot take the stored one. Pixels stay what they were."""

from __future__ import annotations

from io import BytesIO

from isocenter.dicom.byte_order import turn_words
from isocenter.errors import Refused

__all__ = ["transcode"]


def transcode(data: bytes, syntax: str) -> bytes:
    """A Part 10 file re-encoded to a native (uncompressed) transfer syntax.

    The SOP Instance UID stays: decompressing does not change a pixel (PS3.4 B.4.1.3 asks for a new UID only where a
    lossy step is added). A lossy image keeps its Lossy Image Compression marks.

    Raises:
        Refused: the pixels cannot be decoded, or the target is a compressed syntax.
    """
    from pydicom import dcmread, dcmwrite
    from pydicom.uid import UID

    target = UID(syntax)
    if target.is_compressed or not target.is_little_endian:
        raise Refused(f"Transfer syntax {target.name}", "only native little endian is made on the way out", "")
    try:
        dataset = dcmread(BytesIO(data))
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            dataset.decompress(generate_instance_uid=False)
        if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
            turn_words(dataset)
        dataset.file_meta.TransferSyntaxUID = target
        made = BytesIO()
        # dcmwrite takes what was decoded above; Dataset.save_as would refuse to turn the byte order.
        dcmwrite(made, dataset, enforce_file_format=True)
    except Exception as error:
        raise Refused(
            f"An image that cannot be re-encoded to {target.name}",
            type(error).__name__,
            "retrieve it in the transfer syntax that is stored",
        ) from error
    return made.getvalue()
