"""Photographs, motion blur and noise: the data of the deblurring study (paper, section 5.1).

The measurement is x = A y + n. A is a convolution on the torus; n is Gaussian with sigma = 0.03.

============  ==================================================================================
``y``, ``x``  photograph and measurement, (B, 3, H, W), float32, y in [0, 1]
``A``         the blur, `equilibria.operators.blur.Blur`, built from one of the kernels here
``bsds500``   the paper's data: 200 / 100 / 200 photographs, one random 128 x 128 crop of each
``embedded``  five photographs that scikit-image ships, for runs without a data set
============  ==================================================================================
"""

from equilibria.problems.images.cropping import crops, draw
from equilibria.problems.images.data_sets import bsds500, embedded, has_bsds500
from equilibria.problems.images.kernels import levin09, levin09_path, motion_kernel
from equilibria.problems.images.measurement import NOISE, measure, psnr, ssim
from equilibria.problems.images.photographs import ImageError, folder, from_png, read, to_png

__all__ = [
    "NOISE",
    "ImageError",
    "bsds500",
    "crops",
    "draw",
    "embedded",
    "folder",
    "from_png",
    "has_bsds500",
    "levin09",
    "levin09_path",
    "measure",
    "motion_kernel",
    "psnr",
    "read",
    "ssim",
    "to_png",
]
