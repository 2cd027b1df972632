"""What a GPU gives at most, measured: one line of JSON.

FP32 fused multiply-adds: a kernel of Triton with eight independent chains a thread. Matrix products:
PyTorch's of 8192 x 8192 without TF32. Copy: 1 GiB within the GPU's memory, read and write counted."""

import json
import time

import torch
import triton
import triton.language as tl

BLOCK, PROGRAMS, ROUNDS, UNROLLED = 1024, 1 << 14, 256, 16
SIZE, COPIED = 8192, 1 << 28


@triton.jit
def multiply_add(out, a, b, ROUNDS: tl.constexpr, UNROLLED: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = place.to(tl.float32)
    for _round in range(ROUNDS):
        for _step in tl.static_range(UNROLLED):
            x = x * a + b
    tl.store(out + place, x)


def seconds(work):
    """The shortest of ten."""
    work()
    times = []
    for _ in range(10):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    out = torch.empty(BLOCK * PROGRAMS, device="cuda")
    fma = seconds(lambda: multiply_add[(PROGRAMS,)](out, 0.5, 1.5, ROUNDS, UNROLLED, BLOCK,
                                                    num_warps=4))
    left = torch.rand(SIZE, SIZE, device="cuda")
    product = seconds(lambda: torch.mm(left, left))
    source = torch.zeros(COPIED, device="cuda")
    target = torch.empty_like(source)
    copy = seconds(lambda: target.copy_(source))
    print(json.dumps({"fma_tflops": 2 * BLOCK * PROGRAMS * ROUNDS * UNROLLED / fma / 1e12,
                      "matmul_tflops": 2 * SIZE**3 / product / 1e12,
                      "copy_gbytes_per_s": 2 * 4 * COPIED / copy / 1e9}))


if __name__ == "__main__":
    main()
