#!/usr/bin/env python3
"""Writes foreign_1_8.h5: an HDF5 1.8 file as another program writes it (needs h5py)."""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1], "w", libver="earliest") as file:
    group = file.create_group("op/matmul")
    group.attrs["op"] = np.bytes_("y = x w")
    group.create_dataset("inputs/0", data=np.arange(6, dtype="f8").reshape(2, 3) / 7)
    group.create_dataset("c", data=np.float64(0.1))
    file.create_dataset("labels", data=np.array([0.0, 1.0, 2.0]))
    file.create_dataset("big_endian", data=np.array([1.5, -2.5], dtype=">f4"))
    file.create_dataset("wide", data=np.array([1, -2, 2**31 - 1], dtype="i8"))
    file.create_dataset("too_wide", data=np.array([2**31], dtype="i8"))
    file.create_dataset("bytes", data=np.array([0, 255], dtype="u1"))
    file.create_dataset("half", data=np.array([0.5], dtype="f2"))
    file.create_dataset("names", data=np.array([b"a", b"bcd"], dtype="S3"))
    file.create_dataset("long_names", data=["variable", "length"], dtype=h5py.string_dtype())
    file.attrs["note"] = "variable-length"
    file.attrs["seed"] = np.int32(42)
    file.attrs["scales"] = np.array([1.0, 2.0], dtype="f4")
