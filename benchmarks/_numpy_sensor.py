"""The virtual sensor's model written down in plain numpy, as a peer and as a check."""

import numpy as np
from numpy.typing import NDArray

from fixtures.ageing import ActiveDefects
from fixtures.sensor import Exposed, SensorParameters


def expose_with_numpy(
    parameters: SensorParameters,
    dsnu_e: NDArray[np.float32],
    exposed: Exposed,
    defects: ActiveDefects,
    generator: np.random.Generator,
) -> NDArray[np.uint16]:
    """Take one frame; parameters and result as for ``fixtures.sensor.expose``."""
    dark_factor = parameters.dark_factor(exposed.temperature_c)
    mean_e = np.zeros(dsnu_e.shape)
    if exposed.electron_rate is not None:
        mean_e += exposed.electron_rate * (exposed.light_factor * exposed.exposure_s)
    mean_e[defects.rows, defects.columns] *= defects.response
    mean_e[defects.rows, defects.columns] += (
        defects.dark_rate_e_per_s * dark_factor * exposed.exposure_s + defects.offset_e
    )
    mean_e += parameters.dark_current_e_per_s * dark_factor * exposed.exposure_s
    electrons = generator.poisson(mean_e) + dsnu_e
    electrons += generator.normal(0.0, parameters.read_noise_e, dsnu_e.shape)
    electrons = np.minimum(electrons, parameters.full_well_e)
    numbers = np.rint(
        electrons * parameters.dn_per_electron(exposed.iso) + parameters.black_level_dn
    )
    return np.clip(numbers, 0, parameters.white_level_dn).astype(np.uint16)
