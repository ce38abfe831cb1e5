"""Packing small unsigned codes into bytes, least significant first."""

from __future__ import annotations

import numpy as np

from netwright.graph.format.blocks import Bytes, Numbers


def pack_fields(codes: Numbers, bits: int, planes: int, width: int) -> Bytes:
    """Bytes of codes [n, groups * planes * width]: byte i of a group holds code i of every plane,
    plane p at bit `p * bits`. This is ggml's layout of nibbles, crumbs and high bits."""
    fields = codes.astype(np.uint8, copy=False).reshape(codes.shape[0], -1, planes, width)
    packed = fields[:, :, 0, :].copy()
    for plane in range(1, planes):
        packed |= fields[:, :, plane, :] << np.uint8(plane * bits)
    return packed.reshape(codes.shape[0], -1)


def unpack_fields(packed: Bytes, bits: int, planes: int, width: int) -> Bytes:
    """The inverse of `pack_fields`: codes [n, groups * planes * width]."""
    groups = packed.reshape(packed.shape[0], -1, width)
    codes = np.empty((packed.shape[0], groups.shape[1], planes, width), np.uint8)
    mask = np.uint8((1 << bits) - 1)
    for plane in range(planes):
        np.right_shift(groups, np.uint8(plane * bits), out=codes[:, :, plane, :])
    codes &= mask
    return codes.reshape(packed.shape[0], -1)


def pack_stream(codes: Numbers, bits: int) -> Bytes:
    """Codes [n, k] as one little-endian stream of `bits` each: bytes [n, k * bits / 8]."""
    wide = codes.astype("<u2")[..., None]
    flags = (wide >> np.arange(bits, dtype=np.uint16)) & np.uint16(1)
    return np.packbits(flags.astype(np.uint8).reshape(len(codes), -1), axis=1, bitorder="little")


def unpack_stream(packed: Bytes, bits: int) -> Numbers:
    """The inverse of `pack_stream`: uint16 codes [n, bytes * 8 / bits]."""
    flags = np.unpackbits(packed, axis=1, bitorder="little").reshape(len(packed), -1, bits)
    weights = np.left_shift(np.uint16(1), np.arange(bits, dtype=np.uint16))
    return (flags * weights).sum(axis=2, dtype=np.uint16)
