"""Patches of decoded frames as float batches; of this package `dataset` alone knows torch.

`places` says where patches lie, `inputs` what networks see, `cache` keeps decoded frames on disk,
`batches` cuts and scales, `order` shuffles, `source` joins them over a manifest, `opening` asks the
catalogue, and `dataset` hands tensors to a training loop. Coordinates are photosites in full
`raw_image` space throughout.
"""
