import pytest

from srtools.xrdct import PHASES

ATOMIC_MASS = dict(O=15.999, Al=26.982, Ni=58.693, Zr=91.224, Pd=106.42, Ce=140.116)
DALTON = 1.66054  # in g/cm^3 where the volume is in angstrom^3


@pytest.mark.parametrize(
    ("name", "density"),  # of the perfect crystal [g/cm^3], as handbooks have it
    [("Al2O3", 3.99), ("CeO2", 7.22), ("ZrO2", 6.1), ("NiO", 6.81), ("PdO", 8.3)],
)
def test_cells_have_the_density_of_the_crystal(name, density):
    phase = PHASES[name]
    mass = sum(ATOMIC_MASS[element] for element, *_ in phase.atoms)
    assert DALTON * mass / phase.volume == pytest.approx(density, rel=0.01)


def test_no_two_atoms_stand_in_one_place():
    for phase in PHASES.values():
        places = {tuple(round(x, 4) % 1 for x in place) for _, *place in phase.atoms}
        assert len(places) == len(phase.atoms), phase.name
