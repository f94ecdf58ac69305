"""Crystal structures of the phases in the reactor bed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Phase:
    """A crystal structure with orthogonal or hexagonal axes.

    Attributes
    ----------
    name : str
    space_group : str
    a, c : float
        Lattice constants [angstrom]; ``a = b``.
    hexagonal : bool
        Whether the angle between the first two axes is 120 and not 90 degrees.
    atoms : tuple of (element, x, y, z)
        The whole unit cell, in fractions of the axes.
    source : str
        Where the numbers come from.
    """

    name: str
    space_group: str
    a: float
    c: float
    hexagonal: bool
    atoms: tuple[tuple[str, float, float, float], ...]
    source: str

    @property
    def volume(self) -> float:
        """Of the unit cell [angstrom^3]."""
        return self.a**2 * self.c * (np.sqrt(0.75) if self.hexagonal else 1.0)


def _cell(element, positions, centring=((0, 0, 0),)) -> list:
    return [
        (element, *((p + t) % 1 for p, t in zip(position, shift, strict=True)))
        for position in positions
        for shift in centring
    ]


_F = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
_R = ((0, 0, 0), (2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3))
_OCTANTS = [(i, j, k) for i in (0.25, 0.75) for j in (0.25, 0.75) for k in (0.25, 0.75)]
_ZA, _XO, _ZZ = 0.35216, 0.30624, 0.2091
_ALUMINIUM = [(0, 0, _ZA), (0, 0, 0.5 - _ZA), (0, 0, -_ZA), (0, 0, 0.5 + _ZA)]
_OXYGEN = [(_XO, 0, 0.25), (0, _XO, 0.25), (-_XO, -_XO, 0.25)]
_OXYGEN += [(-_XO, 0, 0.75), (0, -_XO, 0.75), (_XO, _XO, 0.75)]

PHASES: dict[str, Phase] = {
    phase.name: phase
    for phase in (
        Phase(
            "Al2O3",
            "R-3c (corundum)",
            4.7591,
            12.9918,
            True,
            (*_cell("Al", _ALUMINIUM, _R), *_cell("O", _OXYGEN, _R)),
            "NIST SRM 676a; Lewis et al., Acta Cryst. A 38 (1982) 733",
        ),
        Phase(
            "CeO2",
            "Fm-3m (fluorite)",
            5.4116,
            5.4116,
            False,
            (*_cell("Ce", [(0, 0, 0)], _F), *_cell("O", _OCTANTS)),
            "NIST SRM 674b",
        ),
        Phase(
            "ZrO2",
            "P4_2/nmc (tetragonal zirconia)",
            3.6055,
            5.1797,
            False,
            (
                *_cell("Zr", [(0, 0, 0), (0.5, 0.5, 0.5)]),
                *_cell("O", [(0, 0.5, _ZZ), (0.5, 0, -_ZZ)]),
                *_cell("O", [(0, 0.5, _ZZ + 0.5), (0.5, 0, 0.5 - _ZZ)]),
            ),
            "Howard, Hill & Reichert, Acta Cryst. B 44 (1988) 116",
        ),
        Phase(
            "NiO",
            "Fm-3m (rock salt)",
            4.1771,
            4.1771,
            False,
            (*_cell("Ni", [(0, 0, 0)], _F), *_cell("O", [(0.5, 0.5, 0.5)], _F)),
            "powder diffraction file 47-1049",
        ),
        Phase(
            "PdO",
            "P4_2/mmc (tetragonal)",
            3.043,
            5.336,
            False,
            (
                *_cell("Pd", [(0, 0.5, 0), (0.5, 0, 0.5)]),
                *_cell("O", [(0, 0, 0.25), (0, 0, 0.75)]),
            ),
            "Waser, Levy & Peterson, Acta Cryst. 6 (1953) 661, "
            "doi:10.1107/S0365110X53001800",
        ),
    )
}
"""The crystalline materials of the bed, by name."""
