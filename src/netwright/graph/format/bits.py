"""Packing small unsigned codes into bytes, least significant first."""

from __future__ import annotations

import numpy as np

from netwright.graph.format.blocks import Bytes, Numbers


def pack_fields(codes: Numbers, bits: int, planes: int, width: int) -> Bytes:
    """Bytes of codes [n, groups * planes * width]: byte i of a group holds code i of every plane,
    plane p at bit `p * bits`. This is ggml's layout of nibbles, crumbs and high bits.
    """
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
    if 8 % bits == 0:
        per_byte = 8 // bits
        narrow = codes.astype(np.uint8)
        packed = narrow[:, ::per_byte].copy()
        for place in range(1, per_byte):
            packed |= narrow[:, place::per_byte] << np.uint8(place * bits)
        return packed
    flags = (codes.astype(np.uint16)[..., None] >> np.arange(bits, dtype=np.uint16)) & np.uint16(1)
    return np.packbits(flags.astype(np.uint8).reshape(len(codes), -1), axis=1, bitorder="little")


def unpack_stream(packed: Bytes, bits: int) -> Numbers:
    """The inverse of `pack_stream`: unsigned codes [n, bytes * 8 / bits]."""
    if 8 % bits == 0:
        per_byte = 8 // bits
        codes = np.empty((len(packed), packed.shape[1] * per_byte), np.uint8)
        for place in range(per_byte):
            codes[:, place::per_byte] = packed >> np.uint8(place * bits)
        codes &= np.uint8((1 << bits) - 1)
        return codes
    flags = np.unpackbits(packed, axis=1, bitorder="little").reshape(len(packed), -1, bits)
    wide = np.zeros(flags.shape[:2], np.uint16)
    for place in range(bits):
        wide |= flags[:, :, place].astype(np.uint16) << np.uint16(place)
    return wide


def sign_extend(codes: Numbers, bits: int) -> Numbers:
    """Two's complement codes of `bits` (at most 16) as int16."""
    shift = np.int16(16 - bits)
    return (codes.astype(np.uint16).view(np.int16) << shift) >> shift
