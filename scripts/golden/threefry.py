"""The random numbers of src/random.ts in numpy, so that golden files need not contain weights or images."""

import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def stream(seed, purpose):
    """The key of a seed for a purpose (32-bit FNV-1a of the purpose's characters)."""
    digest = 0x811C9DC5
    for character in purpose:
        digest = ((digest ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
    return seed & 0xFFFFFFFF, digest


def threefry2x32(key, a, b):
    """Threefry-2x32 with 20 rounds. Shapes: a, b any, uint32."""
    keys = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(0x1BD11BDA ^ key[0] ^ key[1])]
    with np.errstate(over="ignore"):
        a = a + keys[0]
        b = b + keys[1]
        for block in range(5):
            for rotation in ROTATIONS[block % 2]:
                a = a + b
                b = ((b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation))) ^ a
            a = a + keys[(block + 1) % 3]
            b = b + keys[(block + 2) % 3] + np.uint32(block + 1)
    return a, b


def words(key, counter, length):
    """32-bit words: 2i and 2i + 1 come from the counter (i, counter)."""
    pairs = (length + 1) // 2
    a, b = threefry2x32(key, np.arange(pairs, dtype=np.uint32), np.full(pairs, counter, dtype=np.uint32))
    return np.stack([a, b], axis=1).reshape(-1)[:length]


def uniform(key, counter, length, low, high):
    """`fillUniform` into a Float32Array: f64 arithmetic, one rounding to f32 at the end."""
    step = (high - low) / 0x1000000
    return (low + step * (words(key, counter, length) >> np.uint32(8)).astype(np.float64)).astype(np.float32)


def dropout_mask(key, counter, probability, length):
    """`fillDropoutMask`: 1, 2, 4, 8 or 16 bits per element, the lowest of each word first."""
    bits = next(b for b in (1, 2, 4, 8, 16) if b == 16 or (probability * 2**b).is_integer())
    drawn = words(key, counter, (length * bits + 31) // 32)
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    parts = ((drawn[:, None] >> shifts) & np.uint32(2**bits - 1)).reshape(-1)[:length]
    threshold = int(np.floor(probability * 2**bits + 0.5))
    return np.where(parts < threshold, np.float32(0), np.float32(1 / (1 - probability)))
