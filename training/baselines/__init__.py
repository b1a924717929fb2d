"""What simple classifiers see of a frame: its thumbnail, its low frequencies, its mean colour.

None of it can hold a trace of age: a single photosite moves no feature. A classifier that tells the
class from them has found content, light or colour. Imports no torch.
"""

from training.baselines.cache import GridCache
from training.baselines.features import BASELINES, DEFINITION, features_of
from training.baselines.reading import pixel_features

__all__ = ["BASELINES", "DEFINITION", "GridCache", "features_of", "pixel_features"]
